"""What the tools do, in one call each, and inference with trained models.

This package is not imported by ``import ifdd_mmaction``: training does not need it.
"""

from .calibrating import calibrate
from .exporting import export
from .features import FEATURES, extract_features, read_features
from .folds import kfold
from .inferencer import DFERInferencer
from .live import LiveFace, LiveRecognizer
from .live_report import LiveSummary
from .live_session import LiveSession
from .live_window import LivePrediction
from .models import build_model, class_names, get_model
from .predictor import OnnxPredictor, Predictor, TorchPredictor, build_predictor
from .preparing import prepare
from .reliance import GivenModel, measure_reliance
from .results import TrackResult, VideoResult, WindowResult
from .static_first import train_static_first
from .trained_model import TrainedModel, add_model_arguments
from .training import test, train
from .zoo import ZooError, get_checkpoint, get_config, list_models

__all__ = [
    'FEATURES',
    'DFERInferencer',
    'GivenModel',
    'LiveFace',
    'LivePrediction',
    'LiveRecognizer',
    'LiveSession',
    'LiveSummary',
    'OnnxPredictor',
    'Predictor',
    'TorchPredictor',
    'TrackResult',
    'TrainedModel',
    'VideoResult',
    'WindowResult',
    'ZooError',
    'add_model_arguments',
    'build_model',
    'build_predictor',
    'calibrate',
    'class_names',
    'export',
    'extract_features',
    'get_checkpoint',
    'get_config',
    'get_model',
    'kfold',
    'list_models',
    'measure_reliance',
    'prepare',
    'read_features',
    'test',
    'train',
    'train_static_first',
]
