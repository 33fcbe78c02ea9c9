"""Hooks that MMEngine lacks, registered in ``mmaction.registry``, and runs."""

from .bad_clips_hook import BadClipsHook
from .channels_last_hook import ChannelsLastHook
from .class_counts_hook import ClassCountsHook
from .class_names_hook import ClassNamesHook

__all__ = ['BadClipsHook', 'ChannelsLastHook', 'ClassCountsHook', 'ClassNamesHook']
