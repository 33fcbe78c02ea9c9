"""Is what a kernel or a model computes what float64 computes?

The rule is that of the tests: an error is allowed to be a few roundings of the coarser
type, relative to the largest value that is expected. What is summed is summed in
float32, whose roundings grow with the root of the number of terms.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import product
from typing import Any

import torch
import torch.nn.functional as F
from contenders import REFERENCE, Contender
from measuring import DTYPES, Setup
from mmcv.cnn.bricks import DropPath
from torch import Tensor, nn

from .poolings import (
    EDGES,
    Implementation,
    Shape,
    implementations,
    pooling_shapes,
    random_case,
)
from .run import Context, one_line

Rows = Iterator[tuple[str, dict[str, Any]]]
#: Clips of a check.
CLIPS = 2
SAFETY = 4.0
#: To the dtype that a pooling rounds: kernels, what it returns, the sum over heads.
ROUNDINGS = 3
#: What float32 may leave of a whole model, by whatever kernels.
FLOAT32 = 1e-5
RESULTS = ('output', 'gradient of tokens', 'gradient of kernels')


def checks_of(name: str) -> str:
    """Return the name of the part that checks an implementation."""
    return f'checks of pooling, {name}'


def exact_pool(x: Tensor, weight: Tensor, stride: Sequence[int]) -> Tensor:
    """Pool tokens by shifting, multiplying and adding; in float64 the reference."""
    heads = x.shape[-1] // len(weight)
    kernel = weight.shape[2:]
    sides = [side for k in reversed(kernel) for side in (k // 2, k // 2)]
    padded = F.pad(x, (0, 0, *sides))
    size = [(n - 1) // s + 1 for n, s in zip(x.shape[1:4], stride, strict=True)]
    total = x.new_zeros(len(x), *size, x.shape[-1])
    for tap in product(*map(range, kernel)):
        t, h, w = (
            slice(start, start + (n - 1) * s + 1, s)
            for start, n, s in zip(tap, size, stride, strict=True)
        )
        total = total + padded[:, t, h, w] * weight[(slice(None), 0, *tap)].repeat(
            heads
        )
    return total


def limits(shape: Shape, batch: int, dtype: torch.dtype) -> list[float]:
    """Return the largest errors of ``RESULTS``, relative to the largest value."""
    taps = torch.Size(shape.kernel).numel()
    positions = batch * shape.heads * torch.Size(shape.size).numel()
    rounding = ROUNDINGS**0.5 * torch.finfo(dtype).eps / 2
    of_sum = torch.finfo(torch.float32).eps / 2
    return [
        SAFETY * (rounding + terms**0.5 * of_sum) for terms in (taps, taps, positions)
    ]


def check_pooling(
    implementation: Implementation, shape: Shape, batch: int, setup: Setup
) -> list[dict[str, Any]]:
    """Compare output and both gradients, ``RESULTS``, with float64."""
    torch.manual_seed(0)
    x, weight = random_case(shape, batch, DTYPES[setup.dtype], setup.device)
    exact_x, exact_weight = (
        part.detach().double().requires_grad_() for part in (x, weight)
    )
    exact = exact_pool(exact_x, exact_weight, shape.stride)
    with implementation.choose():
        with setup.autocast():
            y = implementation.pool(x, weight, shape.stride)
        if y.shape != exact.shape:
            raise ValueError(
                f'the output is {tuple(y.shape)}, not {tuple(exact.shape)}'
            )
        grad = torch.randn_like(y)
        found = y, *torch.autograd.grad(y, (x, weight), grad)
    setup.synchronize()
    gradients = torch.autograd.grad(exact, (exact_x, exact_weight), grad.double())
    return [
        compare(result, expected, limit)
        for result, expected, limit in zip(
            found, (exact, *gradients), limits(shape, batch, x.dtype), strict=True
        )
    ]


def error_of(found: Tensor, expected: Tensor) -> float:
    """Return the largest error, relative to the largest value that is expected."""
    found, expected = found.detach().double(), expected.detach()
    return ((found - expected).abs().max() / expected.abs().max()).item()


def compare(found: Tensor, expected: Tensor, limit: float) -> dict[str, Any]:
    """Return the error relative to the largest value, and whether it is allowed."""
    return judged(error_of(found, expected), limit)


def judged(error: float, limit: float) -> dict[str, Any]:
    """Return a row of a check; an error that is no number is not allowed."""
    return dict(
        error=round_off(error) if error < float('inf') else str(error),
        limit=round_off(limit),
        passed=error <= limit,
    )


def round_off(value: float) -> float:
    """Keep three digits of a number."""
    return float(f'{value:.3g}')


def check_poolings(name: str, context: Context) -> Rows:
    """Check an implementation for each dtype and each shape of the model."""
    implementation = implementations(context.setup, context.candidate)[name]
    torch.backends.cudnn.allow_tf32 = False
    shapes = list(pooling_shapes(context.config, context.clip))
    for dtype in DTYPES:
        setup = context.with_dtype(dtype)
        # Other kernels and strides compile other code, which takes its time.
        for shape in (*shapes, *(EDGES if dtype == 'float32' else ())):
            labels = [f'{dtype}, {shape}, {result}' for result in RESULTS]
            try:
                rows = check_pooling(implementation, shape, CLIPS, setup)
            except Exception as error:  # whatever a kernel or its compiler says
                rows = [dict(passed=False, reason=one_line(error))] * len(labels)
            yield from zip(labels, rows, strict=True)
            # Raises if the GPU is of no use to this process any more.
            setup.synchronize()


def check_models(names: Sequence[str], context: Context) -> Rows:
    """Compare scores and gradients of models with those of stock in float64.

    The error of a model may be twice that of stock in the same dtype.
    """
    torch.backends.cudnn.allow_tf32 = False
    exact = scores_and_gradients(contender(REFERENCE, context, double=True))
    for dtype in dict.fromkeys(('float32', context.setup.dtype)):
        own = context.with_dtype(dtype)
        errors = {
            name: [
                distance(found, expected)
                for found, expected in zip(
                    scores_and_gradients(contender(name, context, own)),
                    exact,
                    strict=True,
                )
            ]
            for name in names
        }
        for name in names:
            for what, error, of_stock in zip(
                ('scores', 'gradients'), errors[name], errors[REFERENCE], strict=True
            ):
                if name == REFERENCE:
                    continue  # it is what the others are compared to
                row = judged(error, limit_of_model(of_stock, dtype))
                yield f'{name}, {dtype}, {what}', dict(row, stock=round_off(of_stock))


def limit_of_model(of_stock: float, dtype: str) -> float:
    """Return the largest error of a model: twice stock's, or a few roundings."""
    return max(2 * of_stock, SAFETY * torch.finfo(DTYPES[dtype]).eps, FLOAT32)


def contender(
    name: str, context: Context, setup: Setup | None = None, double: bool = False
) -> Contender:
    """Return a model, in evaluation mode, and the same clips for each."""
    made = Contender(
        context.config,
        name,
        CLIPS,
        context.clip,
        setup or context.with_dtype('float32'),
    )
    generator = torch.Generator().manual_seed(1)
    clips = torch.rand(made.inputs.shape, generator=generator)
    made.inputs = clips.to(made.inputs)
    if double:
        made.model.double()
        made.inputs = made.inputs.double()
    made.model.eval()
    return made


def scores_and_gradients(made: Contender) -> tuple[Tensor, Tensor]:
    """Return the scores ``(N, classes)`` and all gradients of a batch, in float64."""
    return made.forward().double(), loss_and_gradients(made)[1]


def loss_and_gradients(made: Contender) -> tuple[Tensor, Tensor]:
    """Return the loss and all gradients ``(P,)`` of a batch, in float64."""
    with made.setup.autocast():
        losses = made.model(made.inputs, made.samples, mode='loss')
        loss, _ = made.model.parse_losses(losses)
    loss.backward()
    gradients = [
        torch.zeros_like(p) if p.grad is None else p.grad
        for p in made.model.parameters()
    ]
    return loss.detach().double(), torch.cat([g.double().flatten() for g in gradients])


def distance(found: Tensor, expected: Tensor) -> float:
    """Return the norm of the error relative to that of what is expected."""
    return ((found - expected).norm() / expected.norm()).item()


def draw_nothing(model: nn.Module) -> None:
    """Let a model in training drop neither features nor paths."""
    for module in model.modules():
        if isinstance(module, nn.Dropout):
            module.p = 0.0
        elif isinstance(module, DropPath):
            module.drop_prob = 0.0
            if isinstance(getattr(module, 'kept', None), Tensor):
                module.kept.fill_(1.0)  # what a compiled one reads
