"""Bytes of tensors that are alive, without computing them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any
from unittest import mock

import torch
import torch.nn.functional as F
from torch.multiprocessing.reductions import StorageWeakRef
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_flatten

from ifdd_mmaction.models.layers import autocast_layer_norm

#: Those that autocast computes in float32 on a GPU, and leaves in 16 bits on a CPU.
FLOAT32_ON_GPU = (
    (F, 'layer_norm'),
    (F, 'softmax'),
    (torch, 'softmax'),
    (torch.Tensor, 'softmax'),
)


class LiveBytes(TorchDispatchMode):
    """Count the bytes of what operators return for as long as it is alive.

    It counts storages once, however many tensors share them, and nothing that was there
    before. Memory that an operator uses within itself is not seen.
    """

    def __init__(self) -> None:
        super().__init__()
        self.live: dict[int, tuple[StorageWeakRef, int, str]] = {}
        self.peak = 0

    def __torch_dispatch__(
        self, func: Any, types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        result = func(*args, **(kwargs or {}))
        for tensor in tree_flatten(result)[0]:
            if isinstance(tensor, torch.Tensor):
                storage = tensor.untyped_storage()
                key, size = storage._cdata, storage.nbytes()
                made_by = f'{func.overloadpacket.__name__} {tuple(tensor.shape)}'
                label = f'{made_by} {str(tensor.dtype).removeprefix("torch.")}'
                known = self.live.get(key)
                if known is None or known[0].expired():
                    self.live[key] = (StorageWeakRef(storage), size, label)
        self.peak = max(self.peak, self.bytes())
        return result

    def bytes(self) -> int:
        """Return the bytes that are alive now."""
        self.live = {k: v for k, v in self.live.items() if not v[0].expired()}
        return sum(size for _, size, _ in self.live.values())

    def largest(self, count: int) -> list[tuple[str, int, int]]:
        """Return what takes most, by what made it: (label, bytes, tensors)."""
        self.bytes()
        sizes: Counter[str] = Counter()
        tensors: Counter[str] = Counter()
        for _, size, label in self.live.values():
            sizes[label] += size
            tensors[label] += 1
        return [
            (label, size, tensors[label]) for label, size in sizes.most_common(count)
        ]


@contextmanager
def autocast_of_gpu(stock: bool = False) -> Iterator[None]:
    """Let autocast on a CPU keep in float32 what it does on a GPU: norms, softmax.

    Args:
        stock: Also the norms of ``AutocastLayerNorm``, which leaves them in 16 bits.
    """

    def in_float32(function: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any, **kwargs: Any) -> Any:
            if torch.is_autocast_enabled('cpu'):
                args = tuple(a.float() if is_float(a) else a for a in args)
            return function(*args, **kwargs)

        return call

    with ExitStack() as stack:
        for owner, name in FLOAT32_ON_GPU:
            changed = in_float32(getattr(owner, name))
            stack.enter_context(mock.patch.object(owner, name, changed))
        if not stock:
            left = mock.patch.object(autocast_layer_norm, 'LEFT_ALONE', ())
            stack.enter_context(left)
        yield


def is_float(value: Any) -> bool:
    """Return whether something is a tensor of floating-point numbers."""
    return isinstance(value, torch.Tensor) and value.is_floating_point()
