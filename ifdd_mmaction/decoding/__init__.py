"""The one reader of video files: training, testing, preparation and inference use it.

The truth is what FFmpeg shows: its frames, in its order, upright, in the shape of the
display. A file of which that cannot be told is refused.
"""

from .container import StuckError, VideoError
from .reader import VideoReader
from .time_limit import mark_stuck

__all__ = ['StuckError', 'VideoError', 'VideoReader', 'mark_stuck']
