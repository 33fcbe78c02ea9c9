"""The disentanglement loss, and task losses for rare classes."""

from .class_counts_loss import ClassCountsLoss
from .class_weighted_loss import ClassWeightedLoss, class_weighted_loss, class_weights
from .disentanglement_loss import DisentanglementLoss, global_context_loss
from .logit_adjusted_loss import LogitAdjustedLoss, logit_adjusted_loss

__all__ = [
    'ClassCountsLoss',
    'ClassWeightedLoss',
    'DisentanglementLoss',
    'LogitAdjustedLoss',
    'class_weighted_loss',
    'class_weights',
    'global_context_loss',
    'logit_adjusted_loss',
]
