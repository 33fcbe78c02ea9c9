"""VideoMAE's backbone with fused attention: same parameters, same output."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from mmaction.models.backbones.vit_mae import Attention, VisionTransformer
from mmaction.registry import MODELS
from torch import Tensor

from ..layers.attention import attend


class FusedAttention(Attention):
    """VideoMAE's attention, computed without storing the attention map."""

    def forward(self, x: Tensor) -> Tensor:
        """Map tokens ``(B, N, C)`` to tokens of the same shape."""
        bias = None
        if hasattr(self, 'q_bias'):
            bias = torch.cat([self.q_bias, torch.zeros_like(self.v_bias), self.v_bias])
        qkv = F.linear(x, self.qkv.weight, bias)
        q, k, v = qkv.unflatten(-1, (3, self.num_heads, -1)).permute(2, 0, 3, 1, 4)
        dropout = self.attn_drop.p if self.training else 0.0
        x = attend(q, k, v, self.scale, dropout)
        return self.proj_drop(self.proj(x.transpose(1, 2).flatten(2)))


@MODELS.register_module()
class FusedVisionTransformer(VisionTransformer):
    """MMAction2's VisionTransformer (VideoMAE) with fused attention.

    The attention map is never stored. Every checkpoint of the stock class loads.

    Args:
        fused: False runs MMAction2's own attention.
        kwargs: Everything else of :class:`mmaction.models.VisionTransformer`.

    Example:
        >>> from ifdd_mmaction.models.backbones import FusedVisionTransformer
        >>> backbone = FusedVisionTransformer(
        ...     img_size=32, embed_dims=16, depth=2, num_heads=2, num_frames=4,
        ...     return_feat_map=True, use_mean_pooling=False,
        ... )
        >>> backbone(torch.rand(1, 3, 4, 32, 32)).shape
        torch.Size([1, 16, 2, 2, 2])
    """

    def __init__(self, *args: Any, fused: bool = True, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if fused:
            for block in self.blocks:
                block.attn.__class__ = FusedAttention
