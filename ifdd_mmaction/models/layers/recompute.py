"""Linear layers that do not store their input, where it is cheap to compute again.

A linear layer stores its input for the gradient of its weight. Where that is a layer
norm, an activation or a sum, whose own inputs are stored anyway, it is computed again
in the backward pass instead. Outputs and gradients are the same to the bit.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

#: Those whose output depends on their input alone, and is cheap.
CHEAP = (nn.LayerNorm, nn.GELU, nn.ReLU, nn.SiLU)

#: Weight ``(rows, columns)`` and bias of a linear layer.
Layer = tuple[Tensor, Tensor | None]


def linear(
    layer: nn.Module,
    x: Tensor,
    function: Callable[..., Tensor] | None,
    *inputs: Tensor | None,
) -> Tensor:
    """Apply a linear layer to x ``(..., columns)``, equal to ``function(*inputs)``.

    A layer that is something else, or has hooks, and a function that is None or a
    module that is not known to be cheap, are called as they are.
    """
    plain = type(layer) is nn.Linear and not (
        layer._forward_hooks or layer._forward_pre_hooks or 'forward' in vars(layer)
    )
    if not plain or not isinstance(layer, nn.Linear):
        return layer(x)
    return linears([(layer.weight, layer.bias)], x, function, *inputs)[0]


def linears(
    layers: Sequence[Layer],
    x: Tensor,
    function: Callable[..., Tensor] | None,
    *inputs: Tensor | None,
) -> list[Tensor]:
    """Apply linear layers to ``x``, which equals ``function(*inputs)``.

    Args:
        layers: Weight and bias of each.
        x: ``(..., columns)``. It is not stored.
        function: It is called again in the backward pass; a module without its hooks.
            With None, or a module not known to be cheap, x is stored.
        inputs: What is stored for the backward pass anyway.

    Returns:
        The output of each layer.
    """
    if isinstance(function, nn.Module):
        function = function.forward if isinstance(function, CHEAP) else None
    watched = torch.compiler.is_compiling() or torch.jit.is_tracing()
    stored = torch.is_grad_enabled() and x.requires_grad
    # A compiler recomputes by itself, and files hold PyTorch's operators alone.
    if function is None or watched or not stored:
        return [F.linear(x, weight, bias) for weight, bias in layers]
    weights = [in_autocast_dtype(weight) for weight, _ in layers]
    biases = [None if b is None else in_autocast_dtype(b) for _, b in layers]
    return list(_Linears.apply(x, function, len(inputs), *inputs, *weights, *biases))


def autocast_dtype(device: str) -> torch.dtype | None:
    """Return the dtype that autocast casts to on a type of device, None without it."""
    if torch.amp.is_autocast_available(device) and torch.is_autocast_enabled(device):
        return torch.get_autocast_dtype(device)
    return None


def in_autocast_dtype(x: Tensor) -> Tensor:
    """Cast ``(..., C)`` as autocast does for a product; without autocast not."""
    dtype = autocast_dtype(x.device.type)
    return x if dtype is None or x.dtype == torch.float64 else x.to(dtype)


def autocast_to(device: str, dtype: torch.dtype | None) -> AbstractContextManager:
    """Return a context in which autocast casts to a dtype, None: to nothing."""
    if not torch.amp.is_autocast_available(device):
        return nullcontext()
    return torch.autocast(device, dtype, enabled=dtype is not None)


class _Linears(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, x: Tensor, function: Callable[..., Tensor], count: int, *tensors: Any
    ) -> tuple[Tensor, ...]:
        inputs, layers = tensors[:count], tensors[count:]
        weights, biases = layers[: len(layers) // 2], layers[len(layers) // 2 :]
        # Not in a closure, so that activation checkpointing can drop them.
        ctx.save_for_backward(*inputs, *weights)
        ctx.function, ctx.count = function, count
        device = x.device.type
        ctx.device, ctx.autocast, ctx.dtype = device, autocast_dtype(device), x.dtype
        x = in_autocast_dtype(x)
        with autocast_to(device, None):
            pairs = zip(weights, biases, strict=True)
            return tuple(F.linear(x, weight, bias) for weight, bias in pairs)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Any, ...]:
        tensors = ctx.saved_tensors  # read once, as activation checkpointing demands
        inputs, weights = tensors[: ctx.count], tensors[ctx.count :]
        needed = ctx.needs_input_grad[3 + ctx.count :]
        rows = [grad.flatten(0, -2) for grad in grads]
        of_layers: list[Tensor | None] = [None] * len(needed)
        if any(needed[: len(weights)]):
            with autocast_to(ctx.device, ctx.autocast):
                x = in_autocast_dtype(ctx.function(*inputs)).flatten(0, -2)
            for i, row in enumerate(rows):
                if needed[i]:
                    of_layers[i] = row.t() @ x
            del x
        for i, row in enumerate(rows, start=len(weights)):
            if needed[i]:
                of_layers[i] = row.sum(0)
        of_x: Any = None
        if ctx.needs_input_grad[0]:
            # From the last to the first: the order in which autograd adds.
            for row, weight in zip(reversed(rows), reversed(weights), strict=True):
                part = (row @ weight).to(ctx.dtype)
                of_x = part if of_x is None else of_x + part
            of_x = of_x.unflatten(0, grads[0].shape[:-1])
        return of_x, None, None, *(None for _ in inputs), *of_layers
