"""Read videos and live streams frame by frame, and write videos that browsers play.

This package is not imported by ``import ifdd_mmaction``: training does not need it.
"""

from .live import LiveVideo
from .live_sources import Camera, LiveSource, LostError, Stream, live_source
from .sources import (
    ArrayVideo,
    FileVideo,
    FolderVideo,
    Frame,
    Video,
    find_videos,
    open_video,
    result_folders,
)
from .writer import VideoWriter, h264_encoder

__all__ = [
    'ArrayVideo',
    'Camera',
    'FileVideo',
    'FolderVideo',
    'Frame',
    'LiveSource',
    'LiveVideo',
    'LostError',
    'Stream',
    'Video',
    'VideoWriter',
    'find_videos',
    'h264_encoder',
    'live_source',
    'open_video',
    'result_folders',
]
