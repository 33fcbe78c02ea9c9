"""Pooling of tokens stored channels last, without a copy to channels first."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.grad import conv3d_weight

from .relative_position import Size


def to_map(tokens: Tensor, size: Size) -> Tensor:
    """View tokens ``(B, T * H * W, C)`` as a map ``(B, C, T, H, W)``."""
    return tokens.unflatten(1, size).movedim(-1, 1)


def to_tokens(x: Tensor) -> tuple[Tensor, Size]:
    """View a map ``(B, C, T, H, W)`` as tokens ``(B, T * H * W, C)`` and their size."""
    _, _, t, h, w = x.shape
    return x.flatten(2).transpose(1, 2), (t, h, w)


class DepthwiseConv(torch.autograd.Function):
    """A depthwise convolution of odd kernels, padded by half, with a faster backward.

    The gradient of the input is the convolution of the output's gradient, dilated by
    the stride, with the mirrored kernel. On a CPU the forward kernel computes that
    about ten times as fast as the backward kernel.
    """

    @staticmethod
    def forward(  # type: ignore[override]
        ctx: Any, x: Tensor, weight: Tensor, stride: tuple[int, ...]
    ) -> Tensor:
        """Convolve maps ``(N, C, T, H, W)`` with kernels ``(C, 1, t, h, w)``."""
        ctx.save_for_backward(x, weight)
        ctx.stride = stride
        padding = [k // 2 for k in weight.shape[2:]]
        return F.conv3d(x, weight, None, stride, padding, groups=len(weight))

    @staticmethod
    def backward(  # type: ignore[override]
        ctx: Any, grad: Tensor
    ) -> tuple[Tensor | None, Tensor | None, None]:
        """Return the gradients of ``(N, C, T, H, W)`` and of the kernels."""
        x, weight = ctx.saved_tensors
        groups, padding = len(weight), [k // 2 for k in weight.shape[2:]]
        grad_x = grad_weight = None
        if ctx.needs_input_grad[0]:
            spread = grad
            if any(s > 1 for s in ctx.stride):
                spread = torch.zeros_like(x)
                t, h, w = ctx.stride
                spread[:, :, ::t, ::h, ::w] = grad
            mirrored = weight.flip(2, 3, 4)
            grad_x = F.conv3d(spread, mirrored, None, 1, padding, groups=groups)
        if ctx.needs_input_grad[1]:
            grad_weight = conv3d_weight(
                x, weight.shape, grad, ctx.stride, padding, groups=groups
            )
        return grad_x, grad_weight, None


def pool_heads(
    tokens: Tensor, pool: nn.Conv3d, size: Size, heads: int
) -> tuple[Tensor, Size]:
    """Pool tokens ``(B, L, heads * C)`` by the depthwise convolution of a head."""
    x = to_map(tokens, size)
    weight = pool.weight.repeat(heads, 1, 1, 1, 1)
    half = all(
        k % 2 and p == k // 2
        for k, p in zip(pool.kernel_size, pool.padding, strict=True)
    )
    if x.device.type != 'cpu':
        # PyTorch's own depthwise kernel, which stock MViT uses too, needs this layout.
        x = x.contiguous()
    elif half and x.dtype == weight.dtype:  # else autocast has not cast yet
        return to_tokens(DepthwiseConv.apply(x, weight, pool.stride))
    x = F.conv3d(x, weight, None, pool.stride, pool.padding, groups=len(weight))
    return to_tokens(x)
