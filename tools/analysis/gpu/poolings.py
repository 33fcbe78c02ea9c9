"""What pools tokens: the list of implementations, and the shapes that a model has.

A pooling is a function of tokens ``(B, T, H, W, heads * C)``, kernels
``(C, 1, t, h, w)`` of odd size, which heads share, and strides along t, h and w. It
returns ``(B, T', H', W', heads * C)``; tokens are padded by half a kernel.
"""

from __future__ import annotations

import importlib.util
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from pathlib import Path
from typing import NamedTuple

import torch
import torch.nn.functional as F
from contenders import REFERENCE, model_config
from get_flops import counting, empty_clip, unfused
from measuring import Setup
from mmengine.config import Config
from torch import Tensor, nn

from ifdd_mmaction.models.layers.depthwise import depthwise_pool, using
from ifdd_mmaction.models.layers.token_pooling import pool_heads

Pooling = Callable[[Tensor, Tensor, Sequence[int]], Tensor]


class Implementation(NamedTuple):
    """A pooling, and the context that it and its gradients run in."""

    pool: Pooling
    choose: Callable[[], AbstractContextManager] = nullcontext


class Shape(NamedTuple):
    """Sizes of a pooling: (T, H, W), heads, channels C of a head, kernel, stride."""

    size: tuple[int, ...]
    heads: int
    channels: int
    kernel: tuple[int, ...]
    stride: tuple[int, ...]

    def __str__(self) -> str:
        """Write it as the page has it."""
        size, kernel, stride = (
            ' x '.join(map(str, triple))
            for triple in (self.size, self.kernel, self.stride)
        )
        return f'{size}, {self.heads} x {self.channels}, {kernel} / {stride}'


#: Those that no stride divides, with kernels that no MViT has.
EDGES = (
    Shape((5, 9, 7), 3, 8, (3, 3, 3), (2, 4, 4)),
    Shape((3, 10, 9), 1, 40, (1, 3, 3), (1, 3, 2)),
    Shape((4, 6, 5), 2, 16, (3, 5, 1), (1, 1, 1)),
)


def stock_pool(x: Tensor, weight: Tensor, stride: Sequence[int]) -> Tensor:
    """Pool as MMAction2 does: heads in the batch, copied to channels first."""
    b, t, h, w, _ = x.shape
    channels, padding = len(weight), [k // 2 for k in weight.shape[2:]]
    heads = x.unflatten(-1, (-1, channels)).permute(0, 4, 5, 1, 2, 3)
    maps = heads.reshape(-1, channels, t, h, w)
    y = F.conv3d(maps, weight, None, tuple(stride), padding, groups=channels)
    y = y.unflatten(0, (b, -1)).permute(0, 3, 4, 5, 1, 2)
    return y.flatten(-2)


def model_pool(x: Tensor, weight: Tensor, stride: Sequence[int]) -> Tensor:
    """Pool as the attention of this package does."""
    channels, kernel = len(weight), tuple(weight.shape[2:])
    padding = tuple(k // 2 for k in kernel)
    pool = nn.Conv3d(
        channels, channels, kernel, tuple(stride), padding, groups=channels, bias=False,
        device='meta',
    )  # fmt: skip
    pool.weight = weight  # a parameter
    size = tuple(x.shape[1:4])
    y, size = pool_heads(x.flatten(1, 3), pool, size, x.shape[-1] // channels)
    return y.unflatten(1, size)


def implementations(
    setup: Setup, candidate: str | None = None
) -> dict[str, Implementation]:
    """Return what can pool, by name; the first is what the others are compared to.

    Args:
        setup: What it runs on.
        candidate: ``FILE.py:FUNCTION`` of one more.
    """
    found = {'stock': Implementation(stock_pool), 'model': Implementation(model_pool)}
    for name in ('torch', 'onednn' if setup.on_cpu else 'triton'):
        choose = partial(using, name)
        found[f'operator, {name}'] = Implementation(depthwise_pool, choose)
    if candidate:
        found['candidate'] = Implementation(load_function(candidate))
    return found


def load_function(place: str) -> Pooling:
    """Return a function of a Python file, from ``FILE.py:FUNCTION``.

    Raises:
        ValueError: If there is no such file, or no such function in it.
    """
    file, _, name = place.rpartition(':')
    if not Path(file).is_file():
        raise ValueError(f'no file {file}: give FILE.py:FUNCTION')
    spec = importlib.util.spec_from_file_location(Path(file).stem, file)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    function = module
    for part in name.split('.'):
        function = getattr(function, part, None)
    if not callable(function):
        raise ValueError(f'{file} has no function {name}')
    return function


def pooling_shapes(config: Path, clip: Sequence[int]) -> Counter[Shape]:
    """Count the shapes of the poolings in the backbone of a config, for one clip."""
    model = model_config(Config.fromfile(config).model, REFERENCE, clip)
    backbone = unfused(model).backbone
    shapes: Counter[Shape] = Counter()

    def note(conv: nn.Conv3d, inputs: tuple[Tensor, ...]) -> None:
        heads, channels, *size = inputs[0].shape  # of one clip: heads are the batch
        shapes[Shape(tuple(size), heads, channels, conv.kernel_size, conv.stride)] += 1

    for module in backbone.modules():
        if isinstance(module, nn.Conv3d) and module.groups == module.in_channels > 1:
            module.register_forward_pre_hook(note)
    with counting():
        backbone(empty_clip(model, clip).flatten(0, 1))
    return shapes


def random_case(
    shape: Shape, batch: int, dtype: torch.dtype, device: str
) -> tuple[Tensor, Tensor]:
    """Return tokens ``(B, T, H, W, heads * C)`` and float32 kernels, with gradients."""
    size = (batch, *shape.size, shape.heads * shape.channels)
    x = torch.randn(size, device=device).to(dtype).requires_grad_()
    weight = torch.randn(shape.channels, 1, *shape.kernel, device=device)
    weight /= weight[0].numel() ** 0.5
    return x, nn.Parameter(weight)
