"""Metrics of dynamic facial expression recognition."""

from .dfer_metric import DFERMetric, dfer_scores

__all__ = ['DFERMetric', 'dfer_scores']
