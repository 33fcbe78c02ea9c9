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

from .recompute import in_autocast_dtype

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
        # A compiler folds constants itself. Fake tensors, with which it and
        # tools/analysis/memory.py trace, must not serve a later training.
        if torch.compiler.is_compiling() or type(torch.empty(0)) is not Tensor:
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


def append_codes(
    q: Tensor, k_size: Size, tables: Sequence[Tensor], scale: float, width: int
) -> tuple[Tensor, Tensor]:
    """Append to queries their products with the tables' rows.

    Args:
        q: Queries ``(B, T, H, W, heads, C)``. They are not stored: what is returned
            holds them.
        k_size: (T, H, W) of the keys.
        tables: Of relative t, h and w, ``(2 S - 1, C)`` each.
        scale: What the attention multiplies its scores with.
        width: How many numbers to append, zeros after those of ``k_size``.

    Returns:
        ``(B, T * H * W, heads, C + width)``, and the queries themselves, ``(B, T * H *
        W, heads, C)``, for what else they are used for: their gradients are then added
        in autograd's order.
    """
    rows = [
        # The attention multiplies by scale, but the bias is not scaled: divide first.
        (relative_rows(table, q_length, k_length) / scale).transpose(1, 2)
        for table, q_length, k_length in zip(tables, q.shape[1:4], k_size, strict=True)
    ]
    q, rows = in_autocast_dtype(q), [in_autocast_dtype(part) for part in rows]
    if torch.compiler.is_compiling() or torch.jit.is_tracing():
        # A compiler decides itself what it stores.
        query = _append(q, rows[0], rows[1], rows[2], width)
    else:
        query, q = _Append.apply(q, *rows, width)
    return query, q.flatten(1, 3)


def _append(q: Tensor, rt: Tensor, rh: Tensor, rw: Tensor, width: int) -> Tensor:
    parts = [
        q,
        # Along t and h the queries of one position are adjacent in memory: no copy.
        (q.flatten(2, 4) @ rt).view(*q.shape[:-1], -1),
        (q.flatten(3, 4) @ rh).view(*q.shape[:-1], -1),
        _by_width(_across_width(q) @ rw, q),
    ]
    rest = width - sum(part.shape[-1] for part in parts[1:])
    parts.append(q.new_zeros(1).expand(*q.shape[:-1], rest))
    return torch.cat(parts, dim=-1).flatten(1, 3)


def _across_width(x: Tensor) -> Tensor:
    """Arrange ``(B, T, H, W, heads, n)`` as ``(W, B * T * H * heads, n)``, a copy."""
    return x.movedim(3, 0).flatten(1, 4)


def _by_width(x: Tensor, q: Tensor) -> Tensor:
    """Undo :func:`_across_width`, as a view."""
    b, t, h, w, heads, _ = q.shape
    return x.view(w, b, t, h, heads, -1).movedim(0, 3)


class _Append(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, q: Tensor, rt: Tensor, rh: Tensor, rw: Tensor, width: int
    ) -> tuple[Tensor, Tensor]:
        query = _append(q, rt, rh, rw, width)
        ctx.save_for_backward(query, rt, rh, rw)
        ctx.shape = q.shape
        ctx.set_materialize_grads(False)
        return query, q.view_as(q)

    @staticmethod
    def backward(ctx: Any, grad: Tensor | None, other: Tensor | None) -> Any:
        if grad is None:
            return other, None, None, None, None
        query, rt, rh, rw = ctx.saved_tensors
        channels = ctx.shape[-1]
        q = query[..., :channels].view(ctx.shape)
        sizes = [channels, *(part.shape[-1] for part in (rt, rh, rw))]
        grad = grad[..., : sum(sizes)].unflatten(1, ctx.shape[1:4])
        of_q, by_t, by_h, by_w = grad.split(sizes, dim=-1)
        of_t, of_rt = _of_product(q.flatten(2, 4), rt, by_t.flatten(2, 4))
        of_h, of_rh = _of_product(q.flatten(3, 4), rh, by_h.flatten(3, 4))
        of_w, of_rw = _of_product(_across_width(q), rw, _across_width(by_w))
        # In the order in which autograd would add.
        of_q = of_q if other is None else other + of_q
        of_q = of_q + _by_width(of_w, q)
        of_q += of_h.view(ctx.shape)
        of_q += of_t.view(ctx.shape)
        return of_q, of_rt, of_rh, of_rw, None


def _of_product(left: Tensor, right: Tensor, grad: Tensor) -> tuple[Tensor, Tensor]:
    """Return the gradients of ``left @ right`` as autograd computes them.

    The left one is ``(..., M, C)``, the right one has fewer leading dimensions.
    """
    leading = left.shape[:-2]
    rows = right.expand(*leading, *right.shape[-2:]).reshape(-1, *right.shape[-2:])
    grad = grad.reshape(-1, *grad.shape[-2:])
    of_left = torch.bmm(grad, rows.mT)
    of_right = torch.bmm(left.reshape(-1, *left.shape[-2:]).mT, grad)
    of_right = of_right.view(*leading, *right.shape[-2:]).sum_to_size(right.shape)
    return of_left.view(left.shape), of_right
