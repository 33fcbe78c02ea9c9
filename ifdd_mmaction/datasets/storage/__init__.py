"""How the frames of a clip are stored: one class for each way, one interface."""

from .archive import PackedArchive, PackedClip, write_archive
from .clip_source import (
    VIDEO_SUFFIXES,
    ClipSource,
    FrameFolder,
    Segment,
    VideoFile,
    open_source,
)

__all__ = [
    'VIDEO_SUFFIXES',
    'ClipSource',
    'FrameFolder',
    'PackedArchive',
    'PackedClip',
    'Segment',
    'VideoFile',
    'open_source',
    'write_archive',
]
