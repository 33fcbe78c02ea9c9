"""How the frames of a clip are stored: one class for each way, one interface."""

from .clip_source import ClipSource
from .frame_folder import FrameFolder

__all__ = ['ClipSource', 'FrameFolder']
