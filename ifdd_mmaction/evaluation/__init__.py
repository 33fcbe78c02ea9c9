"""Metrics of dynamic facial expression recognition, and tables over folds."""

from .calibration import (
    brier_score,
    calibration_scores,
    classwise_errors,
    negative_log_likelihood,
    reliability,
    risk_coverage,
    to_probabilities,
)
from .dfer_metric import DFERMetric, dfer_scores
from .tables import (
    fold_table,
    mean_interval,
    mean_std,
    percent,
    signed_percent,
    write_table,
)
from .temperature import fit_temperature, tempered

__all__ = [
    'DFERMetric',
    'brier_score',
    'calibration_scores',
    'classwise_errors',
    'dfer_scores',
    'fit_temperature',
    'fold_table',
    'mean_interval',
    'mean_std',
    'negative_log_likelihood',
    'percent',
    'reliability',
    'risk_coverage',
    'signed_percent',
    'tempered',
    'to_probabilities',
    'write_table',
]
