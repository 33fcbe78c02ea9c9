"""Samplers of clips, registered in ``mmaction.registry``."""

from .class_balanced_sampler import ClassBalancedSampler
from .resumable_batch_sampler import ResumableBatchSampler

__all__ = ['ClassBalancedSampler', 'ResumableBatchSampler']
