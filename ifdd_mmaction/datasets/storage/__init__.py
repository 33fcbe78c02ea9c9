"""How the frames of a clip are stored: one class for each way, one interface."""

from ...deprecations import module_getattr
from .archive import PackedArchive, PackedClipSource, write_archive
from .clip_source import (
    VIDEO_SUFFIXES,
    ClipSource,
    FolderClipSource,
    Segment,
    VideoClipSource,
    open_source,
)

__all__ = [
    'VIDEO_SUFFIXES',
    'ClipSource',
    'FolderClipSource',
    'PackedArchive',
    'PackedClipSource',
    'Segment',
    'VideoClipSource',
    'open_source',
    'write_archive',
]

__getattr__ = module_getattr(__name__)
