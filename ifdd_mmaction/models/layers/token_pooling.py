"""Pooling of tokens stored channels last, without a copy to channels first."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.modules.utils import _triple

from .depthwise import depthwise_pool
from .recompute import autocast_to
from .relative_position import Size


def to_map(tokens: Tensor, size: Size) -> Tensor:
    """View tokens ``(B, T * H * W, C)`` as a map ``(B, C, T, H, W)``."""
    return tokens.unflatten(1, size).movedim(-1, 1)


def to_tokens(x: Tensor) -> tuple[Tensor, Size]:
    """View a map ``(B, C, T, H, W)`` as tokens ``(B, T * H * W, C)`` and their size."""
    _, _, t, h, w = x.shape
    return x.flatten(2).transpose(1, 2), (t, h, w)


def pool_heads(
    tokens: Tensor, pool: nn.Conv3d, size: Size, heads: int
) -> tuple[Tensor, Size]:
    """Pool tokens ``(B, L, heads * C)`` by the depthwise convolution of a head."""
    half = tuple(k // 2 for k in pool.kernel_size)
    if all(k % 2 for k in pool.kernel_size) and pool.padding == half:
        x = depthwise_pool(tokens.unflatten(1, size), pool.weight, pool.stride)
        _, t, h, w, _ = x.shape
        return x.flatten(1, 3), (t, h, w)
    # An even kernel: PyTorch's own, on a GPU in the layout that it needs.
    x = to_map(tokens, size)
    x = x if x.device.type == 'cpu' else x.contiguous()
    weight = pool.weight.repeat(heads, 1, 1, 1, 1)
    x = F.conv3d(x, weight, None, pool.stride, pool.padding, groups=len(weight))
    return to_tokens(x)


def max_pool(x: Tensor, pool: nn.MaxPool3d) -> Tensor:
    """Pool a map ``(B, C, T, H, W)`` by the maximum without storing it.

    PyTorch stores the map, of which the gradient needs the shape alone, and the places
    of the maxima in 64 bits, of which 32 are enough. The gradient is the same.
    """
    stored = torch.is_grad_enabled() and x.requires_grad and type(pool) is nn.MaxPool3d
    # On a CPU, not on a GPU, autocast would make 16-bit maps float32, of equal values.
    with autocast_to(x.device.type, None):
        if not stored or torch.compiler.is_compiling() or torch.jit.is_tracing():
            return pool(x)
        options = (pool.kernel_size, pool.stride, pool.padding, pool.dilation)
        return _MaxPool.apply(x, *options, pool.ceil_mode)


class _MaxPool(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, *options: Any) -> Tensor:
        kernel, stride, padding, dilation, ceil_mode = options
        y, places = F.max_pool3d(
            x, kernel, stride, padding, dilation, ceil_mode, return_indices=True
        )
        ctx.save_for_backward(places.int())
        ctx.options, ctx.shape = options, x.shape
        return y

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Any, ...]:
        (places,) = ctx.saved_tensors
        last = places.is_contiguous(memory_format=torch.channels_last_3d)
        layout = torch.channels_last_3d if last else torch.contiguous_format
        x = torch.empty(
            ctx.shape, dtype=grad.dtype, device=grad.device, memory_format=layout
        )  # nothing but its shape and layout is read
        of_x = torch.ops.aten.max_pool3d_with_indices_backward(
            grad, x, *map(list, map(_triple, ctx.options[:-1])), ctx.options[-1],
            places.long(),
        )  # fmt: skip
        return of_x, *(None for _ in ctx.options)
