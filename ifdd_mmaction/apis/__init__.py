"""Trained models at work on videos.

This package is not imported by ``import ifdd_mmaction``: training does not need it.
"""

from .predictor import Predictor, TorchPredictor, build_predictor

__all__ = ['Predictor', 'TorchPredictor', 'build_predictor']
