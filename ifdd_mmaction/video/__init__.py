"""Read videos of any kind frame by frame, and write some that browsers play.

This package is not imported by ``import ifdd_mmaction``: training does not need it.
"""

from .frame import Frame, Video
from .sources import (
    ArrayVideo,
    FolderVideo,
    find_videos,
    open_video,
    result_folders,
)
from .video_file import FileVideo
from .webcam import record_webcam
from .writer import VideoWriter, h264_encoder

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
