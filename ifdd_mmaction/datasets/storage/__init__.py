"""How the frames of a clip are stored: one class for each way, one interface."""

from .archive import PackedArchive, PackedClip
from .archive_writer import write_archive
from .clip_source import ClipSource
from .frame_folder import FrameFolder

__all__ = ['ClipSource', 'FrameFolder', 'PackedArchive', 'PackedClip', 'write_archive']
