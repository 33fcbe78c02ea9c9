"""Backbones, necks, heads and losses of IFDD, registered in ``mmaction.registry``."""

from ..deprecations import module_getattr
from . import backbones, heads, losses, necks
from .infer_neck import infer_at_build, infer_neck

infer_at_build()

__all__ = ['backbones', 'heads', 'infer_neck', 'losses', 'necks']

__getattr__ = module_getattr(__name__)
