"""Layer norm that leaves tokens in 16 bits where autocast would make them float32."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .recompute import autocast_dtype, autocast_to

HALF = (torch.float16, torch.bfloat16)
#: Devices on which autocast has no rule for layer norms.
LEFT_ALONE = ('cpu',)


class AutocastLayerNorm(nn.LayerNorm):
    """PyTorch's layer norm, for tokens that are in 16 bits under autocast.

    Autocast on a GPU computes and stores layer norms in float32, and the matrix product
    after each casts back: half of the memory of a norm, and a copy. PyTorch's kernel
    takes mean and variance of 16-bit numbers in float32 by itself. On a CPU autocast
    has no rule for layer norms, so that they are in 16 bits there anyway.
    """

    def forward(self, x: Tensor) -> Tensor:
        """Normalize ``(..., C)`` in its own dtype."""
        device = x.device.type
        if (
            device in LEFT_ALONE
            or x.dtype not in HALF
            or autocast_dtype(device) is None
        ):
            return super().forward(x)
        with autocast_to(device, None):
            return norm_in_dtype(self, x)


def norm_in_dtype(norm: nn.LayerNorm, x: Tensor) -> Tensor:
    """Normalize 16-bit ``(..., C)`` with a weight and a bias that are float32."""
    # A GPU's kernel takes weight and bias in the dtype of x alone.
    weight, bias = (p if p is None else p.to(x.dtype) for p in (norm.weight, norm.bias))
    return F.layer_norm(x, norm.normalized_shape, weight, bias, norm.eps)
