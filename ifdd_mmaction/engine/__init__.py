"""Hooks that MMEngine lacks, registered in ``mmaction.registry``, and runs."""

from .class_counts_hook import ClassCountsHook

__all__ = ['ClassCountsHook']
