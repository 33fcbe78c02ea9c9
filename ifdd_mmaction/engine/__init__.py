"""Hooks and a training loop, registered in ``mmaction.registry``; checks of runs."""

from .bad_clips_hook import BadClipsHook
from .channels_last_hook import ChannelsLastHook
from .class_counts_hook import ClassCountsHook
from .class_names_hook import ClassNamesHook
from .clip_visualization_hook import ClipVisualizationHook
from .compilation import compile_regions, find_regions
from .config_checks import BegunHook, check_clip_shapes, clip_shape, config_errors
from .decoder_checks import check_decoders
from .finite_loss_hook import FiniteLossHook, NonFiniteError
from .load_config import load_config
from .resume import (
    EXIT_PREEMPTED,
    ResumableCheckpointHook,
    ResumableTrainLoop,
    check_checkpoint,
    latest_checkpoint,
)
from .temperature_hook import TemperatureHook, divide_logits, read_temperature

__all__ = [
    'EXIT_PREEMPTED',
    'BadClipsHook',
    'BegunHook',
    'ChannelsLastHook',
    'ClassCountsHook',
    'ClassNamesHook',
    'ClipVisualizationHook',
    'FiniteLossHook',
    'NonFiniteError',
    'ResumableCheckpointHook',
    'ResumableTrainLoop',
    'TemperatureHook',
    'check_checkpoint',
    'check_clip_shapes',
    'check_decoders',
    'clip_shape',
    'compile_regions',
    'config_errors',
    'divide_logits',
    'find_regions',
    'latest_checkpoint',
    'load_config',
    'read_temperature',
]
