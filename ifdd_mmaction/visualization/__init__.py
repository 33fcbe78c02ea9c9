"""Figures of results, as Matplotlib figures; no display is needed."""

from ..deprecations import module_getattr
from .bad_frames import plot_bad_frames, plot_bad_frames_read
from .calibration import plot_reliability, plot_risk_coverage
from .cam_overlay import CamRow, plot_cam_overlay
from .clip_split import ClipSplit, ClipTiming, plot_clip_split, plot_split_timing
from .confidences import plot_confidences
from .confusion_matrix import plot_confusion_matrix
from .order_scores import plot_orders
from .prediction_strip import ClipPrediction, plot_prediction_strip, probabilities
from .recall_radar import plot_recall_radar
from .style import figure_path, save_figure
from .training_curve import plot_training_curve
from .tsne import plot_tsne
from .work_dir import (
    WorkDirError,
    choose_clips,
    find_config,
    load_clips,
    read_predictions,
    read_scalars,
)

__all__ = [
    'CamRow',
    'ClipPrediction',
    'ClipSplit',
    'ClipTiming',
    'WorkDirError',
    'choose_clips',
    'figure_path',
    'find_config',
    'load_clips',
    'plot_bad_frames',
    'plot_bad_frames_read',
    'plot_cam_overlay',
    'plot_clip_split',
    'plot_confidences',
    'plot_confusion_matrix',
    'plot_orders',
    'plot_prediction_strip',
    'plot_recall_radar',
    'plot_reliability',
    'plot_risk_coverage',
    'plot_split_timing',
    'plot_training_curve',
    'plot_tsne',
    'probabilities',
    'read_predictions',
    'read_scalars',
    'save_figure',
]

__getattr__ = module_getattr(__name__)
