"""Backbones that return a feature pyramid where MMAction2's do not."""

from .c3d_pyramid import C3DPyramid
from .framewise import Framewise
from .fused_vision_transformer import FusedVisionTransformer
from .pyramid_mvit import PyramidMViT
from .timesformer_map import TimeSformerMap
from .timm_pyramid import TimmPyramid
from .uniformerv2_map import UniFormerV2Map

__all__ = [
    'C3DPyramid',
    'Framewise',
    'FusedVisionTransformer',
    'PyramidMViT',
    'TimeSformerMap',
    'TimmPyramid',
    'UniFormerV2Map',
]
