"""How the frames of a clip are stored: one class for each way, one interface."""

from .archive import PackedArchive, PackedClip
from .archive_writer import write_archive
from .clip_source import ClipSource
from .frame_folder import FrameFolder
from .open_source import open_source
from .segment import Segment
from .video_file import VIDEO_SUFFIXES, VideoFile

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
