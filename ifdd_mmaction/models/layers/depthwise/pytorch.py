"""Depthwise pooling of tokens by PyTorch's convolution: any device, any dtype."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor


def pooled_size(size: Sequence[int], stride: Sequence[int]) -> list[int]:
    """Return (T, H, W) of the output: of any odd kernel that is padded by half."""
    return [(n - 1) // s + 1 for n, s in zip(size, stride, strict=True)]


def forward(x: Tensor, weight: Tensor, stride: Sequence[int]) -> Tensor:
    """Convolve tokens ``(B, T, H, W, heads * C)`` with kernels ``(C, 1, t, h, w)``."""
    kernels = repeat(weight.to(x.dtype), x)
    padding = [k // 2 for k in weight.shape[2:]]
    y = F.conv3d(to_map(x), kernels, None, tuple(stride), padding, groups=x.shape[-1])
    return y.movedim(1, -1)


def grad_input(
    grad: Tensor, weight: Tensor, size: Sequence[int], stride: Sequence[int]
) -> Tensor:
    """Return the gradient of tokens of (T, H, W) = ``size`` from the output's."""
    kernels = repeat(weight.to(grad.dtype), grad)
    x = _shape_alone(grad, (len(grad), len(kernels), *size))
    return _backward(grad, x, kernels, stride, 0).movedim(1, -1)


def grad_weight(
    x: Tensor, grad: Tensor, shape: Sequence[int], stride: Sequence[int]
) -> Tensor:
    """Return the gradient of kernels of ``shape`` ``(C, 1, t, h, w)``."""
    kernels = _shape_alone(grad, (x.shape[-1], *shape[1:]))
    return over_heads(_backward(grad, to_map(x), kernels, stride, 1), shape)


def _shape_alone(like: Tensor, shape: Sequence[int]) -> Tensor:
    """Return a tensor for where nothing but the shape is read."""
    return like.new_empty(1).expand(shape)


def _backward(
    grad: Tensor, x: Tensor, kernels: Tensor, stride: Sequence[int], operand: int
) -> Tensor:
    """Return the gradient of a map, operand 0, or of kernels, operand 1."""
    padding = [k // 2 for k in kernels.shape[2:]]
    return torch.ops.aten.convolution_backward(
        to_map(grad), x, kernels, None, stride, padding, (1, 1, 1), False, (0, 0, 0),
        len(kernels), [operand == 0, operand == 1, False],
    )[operand]  # fmt: skip


def to_map(x: Tensor) -> Tensor:
    """View tokens ``(B, T, H, W, C)`` as a map ``(B, C, T, H, W)``.

    Where PyTorch's depthwise kernel needs that layout, on a GPU, it is a copy.
    """
    x = x.movedim(-1, 1)
    return x if x.device.type == 'cpu' else x.contiguous()


def repeat(weight: Tensor, x: Tensor) -> Tensor:
    """Repeat kernels ``(C, 1, t, h, w)`` for the heads of ``(..., heads * C)``."""
    return weight.repeat(x.shape[-1] // weight.shape[0], 1, 1, 1, 1)


def over_heads(grad: Tensor, shape: Sequence[int]) -> Tensor:
    """Sum the gradient of repeated kernels to that of ``(C, 1, t, h, w)``."""
    return grad.unflatten(0, (-1, shape[0])).sum(0)
