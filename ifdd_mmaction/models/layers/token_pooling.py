"""Pooling of tokens stored channels last, without a copy to channels first."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn

from .depthwise import depthwise_pool
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
