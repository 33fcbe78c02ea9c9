"""Depthwise pooling in float64 by PyTorch, and tokens to compare on."""

from __future__ import annotations

from types import ModuleType

import torch
import torch.nn.functional as F
from torch import Tensor

from tests.helpers.numeric import assert_close

#: (B, T, H, W), heads, channels of a head, kernel, stride: every stride of MViT's, and
#: clips shorter than the kernel.
CASES = [
    ((2, 4, 7, 6), 2, 5, (3, 3, 3), (1, 1, 1)),
    ((1, 3, 8, 8), 1, 16, (3, 3, 3), (1, 2, 2)),
    ((2, 3, 9, 7), 3, 4, (3, 3, 3), (1, 4, 4)),
    ((1, 2, 9, 16), 1, 8, (3, 3, 3), (1, 8, 8)),
    ((1, 2, 6, 6), 2, 4, (1, 3, 3), (1, 8, 8)),
    ((1, 5, 5, 5), 1, 8, (3, 5, 1), (2, 2, 1)),
    ((1, 6, 4, 5), 1, 3, (5, 3, 3), (3, 1, 2)),
    ((2, 1, 2, 2), 1, 3, (3, 3, 3), (1, 1, 1)),
]
HALF = [torch.bfloat16, torch.float16]
DTYPES = [torch.float32, *HALF]


def draw(
    size: tuple[int, ...],
    heads: int,
    channels: int,
    kernel: tuple[int, ...],
    dtype: torch.dtype,
) -> tuple[Tensor, Tensor]:
    """Draw tokens ``(*size, heads * channels)`` and float32 kernels."""
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(*size, heads * channels, generator=generator)
    return x.to(dtype), torch.randn(channels, 1, *kernel, generator=generator)


def exact(x: Tensor, weight: Tensor, stride: tuple[int, ...]) -> Tensor:
    """Pool tokens in float64, with PyTorch's gradient."""
    x, weight = x.double(), weight.double()
    heads = x.shape[-1] // len(weight)
    padding = [k // 2 for k in weight.shape[2:]]
    return F.conv3d(
        x.movedim(-1, 1), weight.repeat(heads, 1, 1, 1, 1), None, stride, padding,
        groups=x.shape[-1],
    ).movedim(1, -1)  # fmt: skip


def assert_exact(
    implementation: ModuleType, case: tuple, dtype: torch.dtype, summed_in: torch.dtype
) -> None:
    """Compare an implementation's three functions with float64.

    Args:
        summed_in: The dtype whose rounding the gradient of the weight has.
    """
    size, heads, channels, kernel, stride = case
    x, weight = draw(size, heads, channels, kernel, dtype)
    wide = x.double().requires_grad_(), weight.double().requires_grad_()
    expected = exact(*wide, stride)
    grad = torch.randn(expected.shape, generator=torch.Generator().manual_seed(1))
    grad = grad.to(dtype)
    grad_x, grad_weight = torch.autograd.grad(expected, wide, grad.double())
    taps, terms = weight[0].numel(), expected[..., 0].numel() * heads
    assert_close(implementation.forward(x, weight, stride), expected, taps)
    found = implementation.grad_input(grad, weight, size[1:], stride)
    assert found.dtype == dtype
    assert_close(found, grad_x, taps)
    found = implementation.grad_weight(x, grad, weight.shape, stride)
    assert_close(found, grad_weight, terms, dtype=summed_in)
