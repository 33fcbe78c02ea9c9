"""Figures of a run, as Matplotlib objects that need no display.

This package is not imported by ``import ifdd_mmaction``: training does not need it.
"""

from .confusion_matrix import plot_confusion_matrix
from .prediction_strip import ClipPrediction, plot_prediction_strip
from .split_timing import ClipTiming, plot_split_timing
from .style import save_figure
from .training_curve import plot_training_curve
from .work_dir import (
    RunError,
    choose_clips,
    find_config,
    load_clips,
    read_predictions,
    read_scalars,
)

__all__ = [
    'ClipPrediction',
    'ClipTiming',
    'RunError',
    'choose_clips',
    'find_config',
    'load_clips',
    'plot_confusion_matrix',
    'plot_prediction_strip',
    'plot_split_timing',
    'plot_training_curve',
    'read_predictions',
    'read_scalars',
    'save_figure',
]
