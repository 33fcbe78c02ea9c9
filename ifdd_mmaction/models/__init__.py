"""Backbones, necks, heads and losses of IFDD, registered in ``mmaction.registry``."""

from ..datasets.transforms.clip_data_preprocessor import ClipDataPreprocessor
from . import backbones, heads, losses, necks
from .infer_neck import infer_at_build, infer_neck

infer_at_build()

__all__ = [
    'ClipDataPreprocessor',
    'backbones',
    'heads',
    'infer_neck',
    'losses',
    'necks',
]
