"""The time of poolings, and the bandwidth that they reach."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from measuring import DTYPES, Setup, summarize, take_turns
from torch import Tensor

from .checks import Rows, checks_of
from .poolings import (
    Implementation,
    Shape,
    implementations,
    pooling_shapes,
    random_case,
)
from .profile import device_seconds
from .run import FAILED, Context, one_line

#: Between a shape and the name of a pooling.
SEPARATOR = ': '
#: Clips of a pooling that is timed, and how much of its tokens is read in turn, so that
#: they do not stay in a cache.
CLIPS, BYTES, COPIES = 8, 2**28, 24


def measure_poolings(context: Context) -> Rows:
    """Time each shape, implementations in turns: forward, and both gradients."""
    setup = context.setup
    found = {
        name: own
        for name, own in implementations(setup, context.candidate).items()
        # What has ended its process would end this one.
        if context.found.get(checks_of(name), {}).get('state') != FAILED
    }
    shapes = pooling_shapes(context.config, context.clip)
    clips = 2 if context.small else CLIPS
    for shape, uses in shapes.items():
        passes: dict[str, dict[str, Callable[[], object]]] = {}
        for name, own in found.items():
            try:
                passes[name] = pooling_passes(own, shape, clips, setup)
            except Exception as error:  # whatever a kernel or its compiler says
                yield f'{shape}{SEPARATOR}{name}', dict(error=one_line(error))
        times: dict[str, dict[str, Any]] = {name: {} for name in passes}
        for kind in ('forward', 'gradients'):
            runs = {name: own[kind] for name, own in passes.items()}
            seconds, _ = take_turns(runs, context.rounds, setup, show=False)
            for name, run in runs.items():
                times[name][kind] = rate(
                    seconds[name], seconds.get('stock'), run, kind, shape, clips, setup
                )
        for name, row in times.items():
            yield f'{shape}{SEPARATOR}{name}', dict(row, uses=uses, clips=clips)


def copies_of(shape: Shape, clips: int, setup: Setup) -> int:
    """Return how many tokens of a shape a run goes over."""
    if setup.on_cpu:
        return 1
    return min(COPIES, -(-BYTES // moved_bytes('forward', shape, clips, setup)))


def pooling_passes(
    implementation: Implementation, shape: Shape, clips: int, setup: Setup
) -> dict[str, Callable[[], object]]:
    """Return a forward and a backward pass over all copies of the tokens."""
    dtype = DTYPES[setup.dtype]
    x, weight = random_case(shape, clips, dtype, setup.device)
    inputs = [x] + [
        x.detach().clone().requires_grad_()
        for _ in range(copies_of(shape, clips, setup) - 1)
    ]

    def forward() -> list[Tensor]:
        with implementation.choose(), setup.autocast():
            return [implementation.pool(x, weight, shape.stride) for x in inputs]

    def without_gradients() -> None:
        with torch.no_grad():
            forward()

    outputs = forward()
    grads = [torch.randn_like(y) for y in outputs]

    def gradients() -> None:
        with implementation.choose():
            for x, y, grad in zip(inputs, outputs, grads, strict=True):
                torch.autograd.grad(y, (x, weight), grad, retain_graph=True)

    gradients()
    setup.synchronize()
    return dict(forward=without_gradients, gradients=gradients)


def moved_bytes(kind: str, shape: Shape, clips: int, setup: Setup) -> int:
    """Return the bytes that have to be read and written once."""
    width = clips * shape.heads * shape.channels
    pairs = zip(shape.size, shape.stride, strict=True)
    read = width * torch.Size(shape.size).numel()
    written = width * torch.Size([(n - 1) // s + 1 for n, s in pairs]).numel()
    size = torch.empty(0, dtype=DTYPES[setup.dtype]).element_size()
    kernels = 4 * shape.channels * torch.Size(shape.kernel).numel()
    if kind == 'forward':
        return size * (read + written) + kernels
    # Tokens and the output's gradient are read, the gradient of tokens is written;
    # kernels are read, and their gradient is written.
    return size * (2 * read + written) + 2 * kernels


def rate(
    seconds: list[float],
    reference: list[float] | None,
    run: Callable[[], object],
    kind: str,
    shape: Shape,
    clips: int,
    setup: Setup,
) -> dict[str, Any]:
    """Sum up the time of a pass, and its bytes over the time of its kernels."""
    copies = copies_of(shape, clips, setup)
    whole = float(np.median(seconds)) / copies
    kernels = device_seconds(run, setup)
    own = whole if kernels is None else kernels / copies
    row: dict[str, Any] = dict(
        us=round(whole * 1e6, 2),
        kernels_us=round(own * 1e6, 2),
        gb_per_second=round(moved_bytes(kind, shape, clips, setup) / own / 1e9, 2),
    )
    if reference:
        row['speedup'] = summarize(np.divide(reference, seconds))
    return row
