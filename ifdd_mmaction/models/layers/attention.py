"""Attention by the fastest kernel: PyTorch's, or on some CPUs matrix products.

On a Zen 4 (torch 2.13), PyTorch's fused kernel takes as long in bfloat16 as in
float32, and for small maps its backward pass 4 times as long. Products of bfloat16 and
a softmax take 0.3 to 0.85 of its time. They are made for some of the queries at a time,
and again in the backward pass, so that no attention map is stored either.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.utils.flop_counter import register_flop_formula

from ...processor import bf16_instructions

#: Whether products are faster: not measured with AMX.
FASTER = 'avx512_bf16' in bf16_instructions() and 'amx_bf16' not in bf16_instructions()
Size = Sequence[int]
#: Numbers of an attention map that are made at a time.
PART = 2**21


def attend(
    q: Tensor,
    k: Tensor,
    v: Tensor,
    scale: float | None = None,
    dropout: float = 0.0,
) -> Tensor:
    """Compute ``scaled_dot_product_attention`` without an attention map.

    Args:
        q: Queries ``(B, heads, L, C)``.
        k: Keys ``(B, heads, S, C)``.
        v: Values ``(B, heads, S, C')``.
        scale: What the scores are multiplied with; by default ``C ** -0.5``.
        dropout: Probability of dropping a weight.

    Returns:
        ``(B, heads, L, C')``.

    Example:
        >>> import torch
        >>> from ifdd_mmaction.models.layers.attention import attend
        >>> q, k, v = torch.rand(3, 1, 2, 5, 8).bfloat16()
        >>> attend(q, k, v).shape
        torch.Size([1, 2, 5, 8])
    """
    if not dropout and _products_are_faster(q, k, v):
        scale = q.shape[-1] ** -0.5 if scale is None else scale
        return torch.ops.ifdd.attend(q, k, v, scale)
    return F.scaled_dot_product_attention(q, k, v, None, dropout, scale=scale)


def _products_are_faster(*parts: Tensor) -> bool:
    return (
        FASTER
        and all(x.device.type == 'cpu' and x.dtype == torch.bfloat16 for x in parts)
        # A file holds PyTorch's operators alone.
        and not torch.jit.is_tracing()
    )


# An operator, which a compiler takes whole.
@torch.library.custom_op(
    'ifdd::attend',
    mutates_args=(),
    device_types='cpu',
    schema='(Tensor q, Tensor k, Tensor v, float scale) -> Tensor',
)
def _attend(q: Tensor, k: Tensor, v: Tensor, scale: float) -> Tensor:
    parts = (q * scale).split(_rows(k), dim=2)
    return torch.cat([_weights(part, k) @ v for part in parts], dim=2)


@_attend.register_fake
def _attend_shape(q: Tensor, k: Tensor, v: Tensor, scale: float) -> Tensor:
    return q.new_empty(*q.shape[:3], v.shape[-1])


@torch.library.custom_op(
    'ifdd::attend_grad',
    mutates_args=(),
    device_types='cpu',
    schema='(Tensor grad, Tensor q, Tensor k, Tensor v, float scale) '
    '-> (Tensor, Tensor, Tensor)',
)
def _attend_grad(
    grad: Tensor, q: Tensor, k: Tensor, v: Tensor, scale: float
) -> tuple[Tensor, Tensor, Tensor]:
    # The sums over the queries are of float32, as within a matrix product.
    sum_k, sum_v = (torch.zeros(x.shape, dtype=torch.float32) for x in (k, v))
    of_q, rows = [], _rows(k)
    queries = (q * scale).split(rows, dim=2)
    for part, g in zip(queries, grad.split(rows, dim=2), strict=True):
        weights = _weights(part, k)
        sum_v += weights.transpose(2, 3) @ g
        g = torch._softmax_backward_data(
            g @ v.transpose(2, 3), weights, -1, weights.dtype
        )
        sum_k += g.transpose(2, 3) @ part
        of_q.append(g @ k)
    return torch.cat(of_q, dim=2) * scale, sum_k.to(k.dtype), sum_v.to(v.dtype)


@_attend_grad.register_fake
def _attend_grad_shape(
    grad: Tensor, q: Tensor, k: Tensor, v: Tensor, scale: float
) -> tuple[Tensor, Tensor, Tensor]:
    return q.new_empty(q.shape), k.new_empty(k.shape), v.new_empty(v.shape)


def _keep(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
    *tensors, ctx.scale = inputs
    ctx.save_for_backward(*tensors)


def _backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
    return *torch.ops.ifdd.attend_grad(grad, *ctx.saved_tensors, ctx.scale), None


_attend.register_autograd(_backward, setup_context=_keep)


@register_flop_formula(torch.ops.ifdd.attend)
def _count(q: Size, k: Size, v: Size, *others: Any, **more: Any) -> int:
    return 2 * prod(q[:3]) * k[2] * (q[3] + v[3])


@register_flop_formula(torch.ops.ifdd.attend_grad)
def _count_grad(g: Size, q: Size, k: Size, v: Size, *others: Any, **more: Any) -> int:
    return 2 * prod(q[:3]) * k[2] * (3 * q[3] + 2 * v[3])


def _weights(q: Tensor, k: Tensor) -> Tensor:
    """Return how much each query takes of each key, ``(B, heads, L, S)``."""
    return (q @ k.transpose(2, 3)).softmax(-1)


def _rows(k: Tensor) -> int:
    """Return how many queries of each head to take at a time."""
    return max(PART // max(k[..., 0].numel(), 1), 1)
