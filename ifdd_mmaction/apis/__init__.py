"""Trained models at work on videos.

This package is not imported by ``import ifdd_mmaction``: training does not need it.
"""

from .zoo import ZooError, get_checkpoint, get_config, get_model, list_models

__all__ = ['ZooError', 'get_checkpoint', 'get_config', 'get_model', 'list_models']
