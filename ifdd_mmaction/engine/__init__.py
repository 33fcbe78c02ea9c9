"""Hooks and a loop that MMEngine lacks, registered in ``mmaction.registry``; runs."""

from .bad_clips_hook import BadClipsHook
from .channels_last_hook import ChannelsLastHook
from .checkpoint_file import check_checkpoint, latest_checkpoint
from .class_counts_hook import ClassCountsHook
from .class_names_hook import ClassNamesHook
from .clip_shapes import check_clip_shapes, clip_shape
from .config_errors import BegunHook, config_errors
from .finite_loss_hook import FiniteLossHook, NonFiniteError
from .load_config import load_config
from .resumable_checkpoint_hook import EXIT_PREEMPTED, ResumableCheckpointHook
from .resumable_train_loop import ResumableTrainLoop

__all__ = [
    'EXIT_PREEMPTED',
    'BadClipsHook',
    'BegunHook',
    'ChannelsLastHook',
    'ClassCountsHook',
    'ClassNamesHook',
    'FiniteLossHook',
    'NonFiniteError',
    'ResumableCheckpointHook',
    'ResumableTrainLoop',
    'check_checkpoint',
    'check_clip_shapes',
    'clip_shape',
    'config_errors',
    'latest_checkpoint',
    'load_config',
]
