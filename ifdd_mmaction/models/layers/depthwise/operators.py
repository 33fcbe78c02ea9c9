"""The operators of depthwise pooling, which ``torch.compile`` and FSDP see whole.

``ifdd::depthwise_pool`` convolves each channel of tokens, channels last, with a kernel
that the heads share. Its two gradients are operators too, and each of the three is the
gradient of the others, so that it can be differentiated any number of times. What
computes them is up to :mod:`~ifdd_mmaction.models.layers.depthwise.choice`.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Any

import torch
from torch import Tensor
from torch.utils.flop_counter import register_flop_formula

from .choice import run
from .pytorch import pooled_size

#: The dtypes that autocast casts.
CASTABLE = (torch.float32, torch.float16, torch.bfloat16)

Size = Sequence[int]


def check(x: Tensor, weight: Tensor, stride: Size) -> None:
    """See that tokens ``(B, T, H, W, heads * C)``, kernels and strides fit.

    Raises:
        ValueError: If they do not.
    """
    kernel = tuple(weight.shape[2:])
    if not (
        x.dim() == weight.dim() == 5
        and len(stride) == 3
        and all(s > 0 for s in stride)
        and weight.shape[1] == 1
        and all(k % 2 for k in kernel)
        and x.shape[-1] % len(weight) == 0
        and {x.dtype, weight.dtype} <= {*CASTABLE, torch.float64}
        and x.device == weight.device
    ):
        raise ValueError(
            f'depthwise_pool got tokens {tuple(x.shape)} {x.dtype} on {x.device}, '
            f'kernels {tuple(weight.shape)} {weight.dtype} on {weight.device} and '
            f'stride {tuple(stride)}: give floating-point tokens (B, T, H, W, heads * '
            'C), kernels (C, 1, t, h, w) of odd size on their device, and three '
            'strides of 1 or more'
        )


def _summed_in(dtype: torch.dtype) -> torch.dtype:
    return dtype if dtype == torch.float64 else torch.float32


@torch.library.custom_op(
    'ifdd::depthwise_pool',
    mutates_args=(),
    schema='(Tensor x, Tensor weight, SymInt[] stride) -> Tensor',
)
def _pool(x: Tensor, weight: Tensor, stride: Size) -> Tensor:
    check(x, weight, stride)
    if not x.numel():
        return _pool_shape(x, weight, stride)
    return run('forward', x, weight.shape[2:], weight, stride).contiguous()


@_pool.register_fake
def _pool_shape(x: Tensor, weight: Tensor, stride: Size) -> Tensor:
    check(x, weight, stride)
    return x.new_empty(x.shape[0], *pooled_size(x.shape[1:4], stride), x.shape[-1])


@torch.library.custom_op(
    'ifdd::depthwise_pool_grad_input',
    mutates_args=(),
    schema='(Tensor grad, Tensor weight, SymInt[] size, SymInt[] stride) -> Tensor',
)
def _grad_input(grad: Tensor, weight: Tensor, size: Size, stride: Size) -> Tensor:
    """Return the gradient of tokens of (T, H, W) = ``size``."""
    if not grad.numel():
        return grad.new_zeros(grad.shape[0], *size, grad.shape[-1])
    x = run('grad_input', grad, weight.shape[2:], weight, size, stride)
    return x.contiguous()


@_grad_input.register_fake
def _grad_input_shape(grad: Tensor, weight: Tensor, size: Size, stride: Size) -> Tensor:
    return grad.new_empty(grad.shape[0], *size, grad.shape[-1])


@torch.library.custom_op(
    'ifdd::depthwise_pool_grad_weight',
    mutates_args=(),
    schema='(Tensor x, Tensor grad, SymInt[] shape, SymInt[] stride) -> Tensor',
)
def _grad_weight(x: Tensor, grad: Tensor, shape: Size, stride: Size) -> Tensor:
    """Return the gradient of kernels of ``shape``, at least float32."""
    if not x.numel():
        return x.new_zeros(shape, dtype=_summed_in(x.dtype))
    weight = run('grad_weight', x, shape[2:], grad, shape, stride)
    return weight.to(_summed_in(x.dtype)).contiguous()


@_grad_weight.register_fake
def _grad_weight_shape(x: Tensor, grad: Tensor, shape: Size, stride: Size) -> Tensor:
    return x.new_empty(shape, dtype=_summed_in(x.dtype))


def _keep(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
    ctx.save_for_backward(*inputs[:2])
    ctx.stride = inputs[-1]


def _pool_backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
    x, weight = ctx.saved_tensors
    return (
        _to_input(grad, weight, x, ctx) if ctx.needs_input_grad[0] else None,
        _to_weight(x, grad, weight, ctx) if ctx.needs_input_grad[1] else None,
        None,
    )


def _grad_input_backward(ctx: Any, change: Tensor) -> tuple[Tensor | None, ...]:
    grad, weight = ctx.saved_tensors
    return (
        _to_output(change, weight, ctx) if ctx.needs_input_grad[0] else None,
        _to_weight(change, grad, weight, ctx) if ctx.needs_input_grad[1] else None,
        None,
        None,
    )


def _grad_weight_backward(ctx: Any, change: Tensor) -> tuple[Tensor | None, ...]:
    x, grad = ctx.saved_tensors
    return (
        _to_input(grad, change, x, ctx) if ctx.needs_input_grad[0] else None,
        _to_output(x, change, ctx) if ctx.needs_input_grad[1] else None,
        None,
        None,
    )


def _to_output(x: Tensor, weight: Tensor, ctx: Any) -> Tensor:
    return torch.ops.ifdd.depthwise_pool(x, weight, ctx.stride)


def _to_input(grad: Tensor, weight: Tensor, x: Tensor, ctx: Any) -> Tensor:
    size = x.shape[1:4]
    return torch.ops.ifdd.depthwise_pool_grad_input(grad, weight, size, ctx.stride)


def _to_weight(x: Tensor, grad: Tensor, weight: Tensor, ctx: Any) -> Tensor:
    found = torch.ops.ifdd.depthwise_pool_grad_weight(x, grad, weight.shape, ctx.stride)
    return found.to(weight.dtype)


_pool.register_autograd(_pool_backward, setup_context=_keep)
_grad_input.register_autograd(_grad_input_backward, setup_context=_keep)
_grad_weight.register_autograd(_grad_weight_backward, setup_context=_keep)


@register_flop_formula(torch.ops.ifdd.depthwise_pool)
def _count(x: Size, weight: Size, *others: Any, out_shape: Size, **more: Any) -> int:
    return 2 * prod(out_shape) * prod(weight[2:])


@register_flop_formula(torch.ops.ifdd.depthwise_pool_grad_input)
def _count_input(grad: Size, weight: Size, *others: Any, **more: Any) -> int:
    return 2 * prod(grad) * prod(weight[2:])


@register_flop_formula(torch.ops.ifdd.depthwise_pool_grad_weight)
def _count_weight(x: Size, grad: Size, shape: Size, *others: Any, **more: Any) -> int:
    return 2 * prod(grad) * prod(shape[2:])
