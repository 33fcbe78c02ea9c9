"""Mean pooling to a given size, deterministic on request."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor


def adaptive_mean(x: Tensor, size: Sequence[int]) -> Tensor:
    """Pool the last two or three dimensions of ``(N, C, ...)`` to ``size`` by the mean.

    This is PyTorch's adaptive pooling. On a GPU its gradient is not deterministic, so
    that PyTorch refuses it with deterministic algorithms (pytorch#50198). With those,
    each dimension is multiplied by a matrix of the same windows instead.

    Args:
        x: ``(N, C, H, W)`` or ``(N, C, T, H, W)``, also empty batches.
        size: Two or three lengths, shorter or longer than those of ``x``.
    """
    if not torch.are_deterministic_algorithms_enabled():
        if len(size) == 2:
            return F.adaptive_avg_pool2d(x, (size[0], size[1]))
        return F.adaptive_avg_pool3d(x, (size[0], size[1], size[2]))
    for dim, length in enumerate(size, start=-len(size)):
        if x.shape[dim] != length:
            windows = _windows(x.shape[dim], length, x)
            x = (x.transpose(dim, -1) @ windows.t()).transpose(dim, -1)
    return x


def _windows(length: int, pooled: int, like: Tensor) -> Tensor:
    """Return the matrix ``(pooled, length)`` whose rows are the windows' means."""
    place = torch.arange(pooled, device=like.device)[:, None]
    start, end = place * length // pooled, -(-(place + 1) * length // pooled)
    frame = torch.arange(length, device=like.device)
    inside = (frame >= start) & (frame < end)
    return inside.to(like.dtype) / (end - start)
