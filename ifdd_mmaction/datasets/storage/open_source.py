"""Choose how a path is read."""

from __future__ import annotations

from pathlib import Path

from ..errors import DatasetError
from .clip_source import ClipSource
from .frame_folder import FRAME_SUFFIXES, FrameFolder
from .video_file import VIDEO_SUFFIXES, VideoFile


def open_source(path: Path) -> ClipSource:
    """Return the source for a folder of frames, a video file or a single image.

    Raises:
        DatasetError: If there is nothing to read at the path.
    """
    suffix = path.suffix.lower()
    if suffix not in VIDEO_SUFFIXES + FRAME_SUFFIXES or path.is_dir():
        return FrameFolder(path)
    frames = path.with_suffix('')
    if not path.exists() and frames.is_dir():
        raise DatasetError(
            f'{path}: no such file, but {frames} is a folder: list it without {suffix}'
        )
    if suffix in VIDEO_SUFFIXES:
        return VideoFile(path)
    return FrameFolder(path.parent, frames=[path.name])
