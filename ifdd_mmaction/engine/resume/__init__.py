"""Resumption to the bit: what is written, when, and the loop that resumes from it."""

from .checkpoint_file import check_checkpoint, latest_checkpoint
from .resumable_checkpoint_hook import EXIT_PREEMPTED, ResumableCheckpointHook
from .resumable_train_loop import ResumableTrainLoop

__all__ = [
    'EXIT_PREEMPTED',
    'ResumableCheckpointHook',
    'ResumableTrainLoop',
    'check_checkpoint',
    'latest_checkpoint',
]
