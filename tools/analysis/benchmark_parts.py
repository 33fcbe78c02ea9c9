"""Measure parts of a training step beside what they replaced.

``tools/analysis/benchmark_parts.py CONFIG`` times, for each of the parts below, the
implementation before and after in turns, A B A B ..., forward and backward, at the
shapes of the first block of MViTv2-tiny (16 x 224 x 224) or of the whole model. On a
CPU the time is that of the process. ``--losses`` adds the loss of 20 steps on random
clips in float32, in bfloat16 with layer norms in float32, as autocast has them on a
GPU, and in bfloat16 with layer norms and tokens in bfloat16, as here.

Writes OUT.json and OUT.md. Exit codes: 0 measured, 2 wrong arguments.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import torch
import torch.nn.functional as F
from benchmark import add_setup, read_setup
from contenders import Contender
from measuring import DTYPES, Setup, add_clip, summarize, take_turns
from memory_live import autocast_of_gpu
from torch import Tensor, nn

from ifdd_mmaction.fileio import write_atomic
from ifdd_mmaction.models.layers import fused_mvit_block
from ifdd_mmaction.models.layers.autocast_layer_norm import norm_in_dtype
from ifdd_mmaction.models.layers.relative_position import append_codes, relative_rows
from ifdd_mmaction.models.layers.token_pooling import max_pool

Pair = tuple[Callable[[], object], Callable[[], object]]
#: (T, H, W) and channels of the first block's tokens, (T, H, W) of its keys.
SIZE, CHANNELS, KEYS = (8, 56, 56), 96, (8, 7, 7)
LENGTH = SIZE[0] * SIZE[1] * SIZE[2]


def both_ways(function: Callable[..., Tensor], *inputs: Tensor) -> Callable[[], object]:
    """Return a call of a function and of its gradient."""
    leaves = [x.detach().requires_grad_() for x in inputs]
    out = function(*leaves)
    grad = torch.rand_like(out)
    del out
    return lambda: torch.autograd.grad(function(*leaves), leaves, grad)


class Parts:
    """The parts, each a method that returns what ran before and what runs now.

    Args:
        config: The config file of the parts that need a whole model.
        setup: What it is measured on.
        clip: (T, H, W) of the clips of whole models.
    """

    def __init__(self, config: Path, setup: Setup, clip: Sequence[int]) -> None:
        self.config, self.setup, self.clip = config, setup, clip
        self.options = dict(device=setup.device, dtype=DTYPES[setup.dtype])

    def layer_norm(self) -> Pair:
        """In float32 and cast, in 16 bits (of --dtype)."""
        norm = nn.LayerNorm(CHANNELS, device=self.setup.device)
        x = torch.randn(1, LENGTH, CHANNELS, **self.options)
        return (
            both_ways(lambda x: norm(x.float()).to(x.dtype), x),
            both_ways(lambda x: norm_in_dtype(norm, x), x),
        )

    def relative_position(self) -> Pair:
        """Appended by two concatenations, by one that stores queries once."""
        q = torch.randn(1, *SIZE, 1, CHANNELS, **self.options)
        tables = [
            torch.randn(2 * n - 1, CHANNELS, device=self.setup.device) for n in SIZE
        ]

        def twice(q: Tensor, *tables: Tensor) -> Tensor:
            codes = query_codes(q, KEYS, tables, 0.1, 24)
            return torch.cat([q.flatten(1, 3), codes], dim=-1)

        def once(q: Tensor, *tables: Tensor) -> Tensor:
            with self.setup.autocast():
                return append_codes(q, KEYS, tables, 0.1, 24)[0]

        return both_ways(twice, q, *tables), both_ways(once, q, *tables)

    def attention_mask(self) -> Pair:
        """Relative position as a mask, appended to queries and keys."""
        shapes = [(1, 1, LENGTH, CHANNELS), *[(1, 1, 392, CHANNELS)] * 2]
        q, k, v = (torch.randn(shape, **self.options) for shape in shapes)
        parts = [torch.randn(1, 1, LENGTH, n, **self.options) for n in KEYS]

        def masked(q: Tensor, k: Tensor, v: Tensor, *parts: Tensor) -> Tensor:
            t, h, w = parts
            mask = (
                t[..., :, None, None] + h[..., None, :, None] + w[..., None, None, :]
            ).flatten(3)
            return F.scaled_dot_product_attention(q, k, v, mask)

        def appended(q: Tensor, k: Tensor, v: Tensor, *parts: Tensor) -> Tensor:
            q = torch.cat([q, *parts, parts[0][..., :2]], dim=-1)
            k = F.pad(k, (0, 24))
            return F.scaled_dot_product_attention(q, k, F.pad(v, (0, 24)))

        return both_ways(masked, q, k, v, *parts), both_ways(appended, q, k, v, *parts)

    def head_width(self) -> Pair:
        """Attention with heads of 120, of 128 numbers."""

        def attend(width: int) -> Callable[[], object]:
            shapes = [(1, 1, LENGTH, width), *[(1, 1, 392, width)] * 2]
            q, k, v = (torch.randn(shape, **self.options) for shape in shapes)
            return both_ways(F.scaled_dot_product_attention, q, k, v)

        return attend(120), attend(128)

    def max_pooling(self) -> Pair:
        """Of the skip, with the map stored, without."""
        pool = nn.MaxPool3d((1, 3, 3), (1, 2, 2), (0, 1, 1))
        x = torch.randn(1, *SIZE, 2 * CHANNELS, **self.options).movedim(-1, 1)
        return both_ways(pool, x), both_ways(lambda x: max_pool(x, pool), x)

    def patch_embedding(self) -> Pair:
        """A convolution, a matrix product with copied windows."""
        conv = nn.Conv3d(3, CHANNELS, (3, 7, 7), (2, 4, 4), (1, 3, 3), **self.options)
        x = torch.randn(1, 3, 16, 224, 224, **self.options)

        def convolve(weight: Tensor) -> Tensor:
            return F.conv3d(x, weight, conv.bias, (2, 4, 4), (1, 3, 3))

        def multiply(weight: Tensor) -> Tensor:
            windows = F.pad(x, (3, 3, 3, 3, 1, 1))
            for dim, (k, s) in enumerate(((3, 2), (7, 4), (7, 4)), start=2):
                windows = windows.unfold(dim, k, s)
            windows = windows.permute(0, 2, 3, 4, 1, 5, 6, 7).flatten(4)
            return F.linear(windows, weight.flatten(1), conv.bias).movedim(-1, 1)

        return both_ways(convolve, conv.weight), both_ways(multiply, conv.weight)

    def adamw(self) -> Pair:
        """PyTorch's default, fused=True: of all parameters of the model."""
        model = self._contender().model

        def update(**options: bool) -> Callable[[], object]:
            copies = [p.detach().clone() for p in model.parameters()]
            for p in copies:
                p.grad = torch.full_like(p, 1e-3)
            return torch.optim.AdamW(copies, lr=1e-4, **options).step

        return update(), update(fused=True)

    def clipping(self) -> Pair:
        """Of gradients one by one, by foreach: of all parameters of the model."""
        parameters = list(self._contender().model.parameters())
        for p in parameters:
            p.grad = torch.full_like(p, 1e-3)
        clip = nn.utils.clip_grad_norm_
        return (
            lambda: clip(parameters, 5.0, foreach=False),
            lambda: clip(parameters, 5.0, foreach=True),
        )

    def whole_step(self) -> Pair:
        """A training step that stores everything, that computes again what is cheap."""
        contender = self._contender()

        def before() -> None:
            with ExitStack() as stack:
                for change in storing():
                    stack.enter_context(change)
                contender.step()

        return before, contender.step

    def _contender(self) -> Contender:
        return Contender(self.config, 'ours', 1, self.clip, self.setup)


NAMES = [
    name for name, of in vars(Parts).items() if name[0] != '_' and callable(of)
]  # fmt: skip


def query_codes(
    q: Tensor, k_size: Sequence[int], tables: Sequence[Tensor], scale: float, width: int
) -> Tensor:
    """Return what is appended to queries, as one tensor: what ran before."""
    b, t, h, w, heads, _ = q.shape
    rt, rh, rw = (
        (relative_rows(table, of_q, of_k) / scale).transpose(1, 2).to(q.dtype)
        for table, of_q, of_k in zip(tables, (t, h, w), k_size, strict=True)
    )
    by_t, by_h = q.flatten(2, 4) @ rt, q.flatten(3, 4) @ rh
    by_w = q.movedim(3, 0).flatten(1, 4) @ rw
    by_w = by_w.view(w, b, t, h, heads, -1).movedim(0, 3)
    parts = [part.reshape(b, t * h * w, heads, -1) for part in (by_t, by_h, by_w)]
    rest = parts[0].new_zeros(1).expand(*parts[0].shape[:3], width - sum(k_size))
    return torch.cat([*parts, rest], dim=-1)


def storing() -> list[Any]:
    """Return patches with which everything is stored for the backward pass."""

    def append(
        q: Tensor, k_size: Any, tables: Any, scale: float, width: int
    ) -> tuple[Tensor, Tensor]:
        codes = query_codes(q, k_size, tables, scale, width)
        return torch.cat([q.flatten(1, 3).to(codes.dtype), codes], dim=-1), q.flatten(
            1, 3
        )

    def pool(x: Tensor, layer: nn.Module) -> Tensor:
        with torch.autocast(x.device.type, enabled=False):
            return layer(x)

    def plain(layers: Any, x: Tensor, *_: Any) -> list[Tensor]:
        return [F.linear(x, weight, bias) for weight, bias in layers]

    return [
        mock.patch.object(fused_mvit_block, 'append_codes', append),
        mock.patch.object(fused_mvit_block, 'linears', plain),
        mock.patch.object(fused_mvit_block, 'linear', lambda layer, x, *_: layer(x)),
        mock.patch.object(fused_mvit_block, 'max_pool', pool),
    ]


def losses(config: Path, setup: Setup, clip: Sequence[int]) -> dict[str, Any]:
    """Return the loss of 20 steps, by where layer norms are computed."""
    result = {}
    for name in ('float32', 'bfloat16, norms in float32', 'bfloat16'):
        own = Setup(setup.device, name.split(',')[0], setup.threads)
        contender = Contender(config, 'ours', 8, clip, own)
        contender.optimizer = torch.optim.AdamW(contender.model.parameters(), lr=1e-3)
        torch.manual_seed(0)
        found: list[float] = []
        keep = contender.model.parse_losses

        def note(of: Any, keep: Any = keep, found: list[float] = found) -> Any:
            loss, log = keep(of)
            found.append(round(float(loss.detach()), 4))
            return loss, log

        contender.model.parse_losses = note
        with ExitStack() as stack:
            if 'norms' in name:
                stack.enter_context(autocast_of_gpu(stock=True))
            for _ in range(20):
                contender.step()
        result[name] = found
    exact = np.array(result['float32'])
    return dict(
        loss=result,
        mean_absolute_difference_to_float32={
            name: round(float(np.abs(np.array(of) - exact).mean()), 4)
            for name, of in result.items()
        },
    )


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('config', type=Path, metavar='CONFIG')
    parser.add_argument('--parts', nargs='*', choices=NAMES, default=NAMES)
    parser.add_argument('--rounds', type=int, default=5)
    add_clip(parser)
    parser.add_argument(
        '--losses', type=Path, metavar='CONFIG', help='whose loss to follow'
    )
    add_setup(parser)
    parser.add_argument('--out', type=Path, default=Path('work_dirs/parts'))
    args = parser.parse_args(argv)
    for config in filter(None, (args.config, args.losses)):
        if not config.is_file():
            parser.error(f'{config}: no such config')
    if args.rounds < 1:
        parser.error(f'--rounds {args.rounds}: give at least 1')
    setup = read_setup(args)
    parts = Parts(args.config, setup, args.clip)
    result: dict[str, Any] = dict(
        environment=setup.describe(), rounds=args.rounds, clip=list(args.clip), parts={}
    )
    for name in args.parts:
        torch.manual_seed(0)
        before, after = getattr(parts, name)()
        seconds, _ = take_turns(
            dict(before=before, after=after), args.rounds, setup, show=False
        )
        result['parts'][name] = dict(
            what=getattr(Parts, name).__doc__,
            before=summarize(np.multiply(seconds['before'], 1e3)),
            after=summarize(np.multiply(seconds['after'], 1e3)),
            speedup=summarize(np.divide(seconds['before'], seconds['after'])),
        )
        print(row(name, result['parts'][name]), file=sys.stderr)
    if args.losses:
        result['losses'] = losses(args.losses, setup, (16, 64, 64))
    text = to_markdown(result)
    write_atomic(args.out.with_suffix('.json'), json.dumps(result, indent=1).encode())
    write_atomic(args.out.with_suffix('.md'), text.encode())
    print(text)
    return 0


def row(name: str, of: dict[str, Any]) -> str:
    """Write a part as a row of the table."""
    low, high = of['speedup']['quartile1'], of['speedup']['quartile3']
    return (
        f'| {name} | {of["what"]} | {of["before"]["median"]:.3g} '
        f'| {of["after"]["median"]:.3g} | {of["speedup"]["median"]:.2f} '
        f'({low:.2f} to {high:.2f}) |'
    )


def to_markdown(result: dict[str, Any]) -> str:
    """Write the result as a table."""
    environment = ', '.join(f'{k} {v}' for k, v in result['environment'].items())
    lines = [
        f'{result["rounds"]} rounds in turns, both ways, median (quartiles). '
        f'{environment}.',
        '',
        '| part | what ran before, what runs now | before, ms | after, ms | times |',
        '|---|---|---|---|---|',
        *(row(name, of) for name, of in result['parts'].items()),
    ]
    if 'losses' in result:
        lines += ['', 'Loss of 20 steps:', '']
        lines += [f'- {name}: {of}' for name, of in result['losses']['loss'].items()]
    return '\n'.join(lines) + '\n'


if __name__ == '__main__':
    sys.exit(main())
