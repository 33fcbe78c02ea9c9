"""Backbones, necks, heads and losses of IFDD, registered in ``mmaction.registry``."""

from . import backbones, heads, losses, necks
from .clip_data_preprocessor import ClipDataPreprocessor

__all__ = ['ClipDataPreprocessor', 'backbones', 'heads', 'losses', 'necks']
