"""Hooks that MMEngine lacks, registered in ``mmaction.registry``."""

from .bad_clips_hook import BadClipsHook
from .class_names_hook import ClassNamesHook

__all__ = ['BadClipsHook', 'ClassNamesHook']
