"""Depthwise pooling of tokens on a GPU, by kernels in Triton.

With ``TRITON_INTERPRET=1`` it runs on a CPU, in Triton's interpreter. The sizes of
blocks are not tuned.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from math import prod
from typing import Any

import torch
import triton
from torch import Tensor

from ._triton_kernels import (
    forward_kernel,
    grad_input_kernel,
    grad_weight_kernel,
)
from .pytorch import pooled_size

DTYPES = (torch.float32, torch.bfloat16, torch.float16)
#: The taps of a kernel are unrolled, and each takes its time to compile.
MOST_TAPS = 125
DEVICE = 'cpu' if os.environ.get('TRITON_INTERPRET') == '1' else 'cuda'
TAKES = (
    f'kernels of at most {MOST_TAPS} taps and float32, bfloat16 or float16 on a '
    'GPU, or on a CPU with TRITON_INTERPRET=1'
)
#: Positions and channels of a block; positions where a row of taps is summed; the
#: programs that share the positions of a sum.
POSITIONS, CHANNELS, SUMMED, PARTS = 64, 32, 32, 128


def takes(tokens: Tensor, kernel: Sequence[int]) -> bool:
    """Return whether there are kernels for ``(B, T, H, W, C)`` and (t, h, w)."""
    return (
        tokens.device.type == DEVICE
        and tokens.dtype in DTYPES
        and prod(kernel) <= MOST_TAPS
    )


def forward(x: Tensor, weight: Tensor, stride: Sequence[int]) -> Tensor:
    """Convolve tokens ``(B, T, H, W, heads * C)`` with kernels ``(C, 1, t, h, w)``."""
    size = pooled_size(x.shape[1:4], stride)
    y = x.new_empty(len(x), *size, x.shape[-1])
    _pool(forward_kernel, x, weight, y, x.shape[1:4], size, stride)
    return y


def grad_input(
    grad: Tensor, weight: Tensor, size: Sequence[int], stride: Sequence[int]
) -> Tensor:
    """Return the gradient of tokens of (T, H, W) = ``size`` from the output's."""
    x = grad.new_empty(len(grad), *size, grad.shape[-1])
    _pool(grad_input_kernel, grad, weight, x, size, grad.shape[1:4], stride)
    return x


def grad_weight(
    x: Tensor, grad: Tensor, shape: Sequence[int], stride: Sequence[int]
) -> Tensor:
    """Return the gradient of kernels of ``shape`` ``(C, 1, t, h, w)``, in float32."""
    channels, kernel = x.shape[-1], tuple(shape[2:])
    positions = grad[..., 0].numel()
    blocks = triton.cdiv(positions, SUMMED)
    each = triton.cdiv(blocks, PARTS)
    parts = x.new_empty(
        triton.cdiv(blocks, each), prod(kernel), channels, dtype=torch.float32
    )
    grid = len(parts), triton.cdiv(channels, CHANNELS), kernel[0] * kernel[1]
    with torch.cuda.device_of(x):
        grad_weight_kernel[grid](
            x.contiguous(), grad.contiguous(), parts, positions, each,
            *x.shape[1:4], channels, *grad.shape[1:4], *stride, *kernel,
            triton.next_power_of_2(kernel[2]), SUMMED, CHANNELS,
        )  # fmt: skip
    # Programs and heads, in an order that is always the same.
    taps = parts.unflatten(-1, (-1, shape[0])).sum((0, 2))
    return taps.t().reshape(*shape)


def _pool(
    kernel: Any,
    read: Tensor,
    weight: Tensor,
    written: Tensor,
    size: Sequence[int],
    pooled: Sequence[int],
    stride: Sequence[int],
) -> None:
    """Run a kernel over all positions of what it writes."""
    positions, channels = written[..., 0].numel(), written.shape[-1]
    grid = triton.cdiv(positions, POSITIONS), triton.cdiv(channels, CHANNELS)
    with torch.cuda.device_of(read):
        kernel[grid](
            read.contiguous(), weight.flatten(1).t().contiguous(), written, positions,
            *size, channels, len(weight), *pooled, *stride, *weight.shape[2:],
            POSITIONS, CHANNELS,
        )  # fmt: skip
