"""Metrics of dynamic facial expression recognition, and tables over folds."""

from .dfer_metric import DFERMetric, dfer_scores
from .tables import fold_table, mean_std, percent, write_table

__all__ = [
    'DFERMetric',
    'dfer_scores',
    'fold_table',
    'mean_std',
    'percent',
    'write_table',
]
