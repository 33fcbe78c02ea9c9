"""Depthwise pooling of tokens where they lie."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from . import pytorch
from .choice import chosen
from .operators import CASTABLE  # registers the operators


def depthwise_pool(x: Tensor, weight: Tensor, stride: Sequence[int]) -> Tensor:
    """Convolve each channel of tokens, padded by half a kernel.

    Under autocast tokens are cast and the kernels are not: their gradient is summed,
    and arrives, in float32.

    Args:
        x: Tokens ``(B, T, H, W, heads * C)``, float16, bfloat16, float32 or float64.
        weight: Kernels ``(C, 1, t, h, w)`` of odd size, in any of these dtypes.
        stride: Along t, h and w.

    Returns:
        ``(B, T', H', W', heads * C)`` in the dtype of the tokens.

    Raises:
        ValueError: If tokens and kernels are of other shapes or dtypes.
        InputError: If ``$IFDD_DEPTHWISE`` names something that does not take them.
    """
    if chosen() == 'torch' or torch.jit.is_tracing() or torch.onnx.is_in_onnx_export():
        # A file holds PyTorch's operators alone.
        return pytorch.forward(x, weight, stride)
    device = x.device.type
    if device != 'meta' and torch.is_autocast_enabled(device) and x.dtype in CASTABLE:
        x = x.to(torch.get_autocast_dtype(device))
    return torch.ops.ifdd.depthwise_pool(x, weight, stride)
