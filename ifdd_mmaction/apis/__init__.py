"""Trained models at work on videos.

This package is not imported by ``import ifdd_mmaction``: training does not need it.
"""

from .inferencer import DFERInferencer
from .onnx_predictor import OnnxPredictor
from .predictor import Predictor, TorchPredictor, build_predictor
from .results import TrackResult, VideoResult, WindowResult

__all__ = [
    'DFERInferencer',
    'OnnxPredictor',
    'Predictor',
    'TorchPredictor',
    'TrackResult',
    'VideoResult',
    'WindowResult',
    'build_predictor',
]
