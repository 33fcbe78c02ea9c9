from .class_balanced_sampler import ClassBalancedSampler
from .resumable_batch_sampler import ResumableBatchSampler

__all__ = ['ClassBalancedSampler', 'ResumableBatchSampler']
