"""Read videos frame by frame, and write videos that browsers play.

This package is not imported by ``import ifdd_mmaction``: training does not need it.
"""

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
from .writer import VideoWriter, h264_encoder, record_webcam

__all__ = [
    'ArrayVideo',
    'FileVideo',
    'FolderVideo',
    'Frame',
    'Video',
    'VideoWriter',
    'find_videos',
    'h264_encoder',
    'open_video',
    'record_webcam',
    'result_folders',
]
