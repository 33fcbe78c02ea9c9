"""Which clips an epoch draws, registered in ``mmaction.registry``."""

from .class_balanced_sampler import ClassBalancedSampler

__all__ = ['ClassBalancedSampler']
