"""Backbones, necks, heads and losses of IFDD, registered in ``mmaction.registry``."""

from . import backbones, heads, losses, necks

__all__ = ['backbones', 'heads', 'losses', 'necks']
