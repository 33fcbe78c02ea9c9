"""Decomposed relative position as extra entries of query and key.

MViTv2 adds to the score of query q and key k, at (t, h, w) each, the bias
``q . Rt[tq, tk] + q . Rh[hq, hk] + q . Rw[wq, wk]``. With the products of a query with
all its rows of the three tables appended to it, and to the key the one-hot codes of its
t, h and w, the bias is part of an ordinary dot product.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache, wraps
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

Size = tuple[int, int, int]


def once_per_shape(function: Callable[..., Tensor]) -> Callable[..., Tensor]:
    """Keep the constants, of any shape, that a function returns, by its arguments.

    They are neither parameters nor buffers: no checkpoint holds them, DDP does not
    broadcast them, copies of a model share them. The arguments are hashable.
    """

    @lru_cache(maxsize=256)
    def cached(*args: Any) -> Tensor:
        # A constant first asked for during inference may later serve training.
        with torch.inference_mode(False):
            return function(*args)

    @wraps(function)
    def call(*args: Any) -> Tensor:
        # A compiler folds constants itself, and traces with fake tensors.
        if hasattr(torch.compiler, 'is_compiling') and torch.compiler.is_compiling():
            return function(*args)
        return cached(*args)

    return call


@once_per_shape
def relative_index(q_size: int, k_size: int, device: torch.device) -> Tensor:
    """Return which row of a table stands for each pair of positions, ``(Q, K)``."""
    q_ratio, k_ratio = max(k_size / q_size, 1.0), max(q_size / k_size, 1.0)
    q = torch.arange(q_size, device=device)[:, None] * q_ratio
    k = torch.arange(k_size, device=device)[None] * k_ratio
    return (q - k + (k_size - 1) * k_ratio).long()


@once_per_shape
def key_codes(
    size: Size, width: int, device: torch.device, dtype: torch.dtype
) -> Tensor:
    """Return one-hot codes of t, h and w for keys, ``(T * H * W, width)``."""
    positions = torch.cartesian_prod(*(torch.arange(s, device=device) for s in size))
    codes = [F.one_hot(p, s) for p, s in zip(positions.unbind(1), size, strict=True)]
    code = torch.cat(codes, dim=1)
    return F.pad(code, (0, width - code.shape[1])).to(dtype)


def relative_rows(table: Tensor, q_size: int, k_size: int) -> Tensor:
    """Look up a table ``(2 S - 1, C)``, resized as needed; returns ``(q, k, C)``."""
    length = 2 * max(q_size, k_size) - 1
    if len(table) != length:
        table = F.interpolate(table.t()[None], size=length, mode='linear')[0].t()
    return table[relative_index(q_size, k_size, table.device)]


def query_codes(
    q: Tensor, k_size: Size, tables: Sequence[Tensor], scale: float, width: int
) -> Tensor:
    """Return the numbers to append to queries.

    Args:
        q: Queries ``(B, T, H, W, heads, C)``.
        k_size: (T, H, W) of the keys.
        tables: Of relative t, h and w, ``(2 S - 1, C)`` each.
        scale: What the attention multiplies its scores with.
        width: Zeros follow up to this many numbers.

    Returns:
        ``(B, T * H * W, heads, width)``.
    """
    b, t, h, w, heads, _ = q.shape
    rt, rh, rw = (
        # The attention multiplies by scale, but the bias is not scaled: divide first.
        (relative_rows(table, q_length, k_length) / scale).transpose(1, 2)
        for table, q_length, k_length in zip(tables, (t, h, w), k_size, strict=True)
    )
    # Along t and h the queries of one position are adjacent in memory: no copy.
    by_t = q.flatten(2, 4) @ rt
    by_h = q.flatten(3, 4) @ rh
    by_w = q.movedim(3, 0).flatten(1, 4) @ rw  # (W, B * T * H * heads, kw)
    by_w = by_w.view(w, b, t, h, heads, -1).movedim(0, 3)
    parts = [part.reshape(b, t * h * w, heads, -1) for part in (by_t, by_h, by_w)]
    rest = parts[0].new_zeros(1).expand(*parts[0].shape[:3], width - sum(k_size))
    return torch.cat([*parts, rest], dim=-1)
