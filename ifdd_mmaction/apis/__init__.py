"""Inference with trained models.

This package is not imported by ``import ifdd_mmaction``: training does not need it.
"""

from .features import FEATURES, extract_features, read_features
from .inferencer import DFERInferencer
from .onnx_predictor import OnnxPredictor
from .predictor import Predictor, TorchPredictor, build_predictor
from .results import TrackResult, VideoResult, WindowResult
from .trained_model import TrainedModel, add_model_arguments
from .zoo import ZooError, get_checkpoint, get_config, get_model, list_models

__all__ = [
    'FEATURES',
    'DFERInferencer',
    'OnnxPredictor',
    'Predictor',
    'TorchPredictor',
    'TrackResult',
    'TrainedModel',
    'VideoResult',
    'WindowResult',
    'ZooError',
    'add_model_arguments',
    'build_predictor',
    'extract_features',
    'get_checkpoint',
    'get_config',
    'get_model',
    'list_models',
    'read_features',
]
