"""Choose how what the user names is read."""

from __future__ import annotations

import glob
import os
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from ..datasets import DatasetError
from ..datasets.images import read_image
from ..datasets.storage.frame_folder import FRAME_SUFFIXES, list_frames
from ..datasets.storage.video_file import VIDEO_SUFFIXES
from ..errors import InputError
from .frame import DEFAULT_FPS, MAX_SIDE, Frame, Video, one_size, shrink
from .video_file import FileVideo


class ArrayVideo:
    """Frames in memory.

    Args:
        frames: ``(T, H, W, 3)`` uint8 RGB.
        fps: Frames a second.
        max_side: Larger frames are shrunk to this, in pixels.

    Raises:
        InputError: If the array is of another kind.
    """

    def __init__(
        self,
        frames: np.ndarray,
        fps: float = DEFAULT_FPS,
        max_side: int = MAX_SIDE,
        name: str = 'array',
    ) -> None:
        if frames.ndim != 4 or frames.shape[3] != 3 or frames.dtype != np.uint8:
            raise InputError(
                f'an array of shape {frames.shape} and type {frames.dtype}: a video is '
                '(T, H, W, 3) of uint8, RGB'
            )
        self.name = name
        self.length: int | None = len(frames)
        self._frames, self._fps, self._max_side = frames, fps, max_side

    def __iter__(self) -> Iterator[Frame]:
        """Yield the frames; see :class:`Video`."""
        for index, image in enumerate(self._frames):
            yield Frame(index, index / self._fps, shrink(image, self._max_side))


class FolderVideo:
    """Numbered images of one folder, as DFEW and FERV39k store clips.

    Args:
        folder: The folder.
        fps: Frames a second.
        max_side: Larger frames are shrunk to this, in pixels.

    Raises:
        InputError: If there is no such folder, or no numbered image in it; while
            reading, if an image is damaged.
    """

    def __init__(
        self,
        folder: str | os.PathLike,
        fps: float = DEFAULT_FPS,
        max_side: int = MAX_SIDE,
    ) -> None:
        self.name = os.fspath(folder)
        try:
            self._files = list_frames(Path(folder))
        except DatasetError as error:
            raise InputError(str(error)) from error
        self.length: int | None = len(self._files)
        self._fps, self._max_side = fps, max_side

    def __iter__(self) -> Iterator[Frame]:
        """Yield the frames; see :class:`Video`."""
        return one_size(self._frames())

    def _frames(self) -> Iterator[Frame]:
        for index, file in enumerate(self._files):
            try:
                image = read_image(os.path.join(self.name, file))
            except DatasetError as error:
                raise InputError(str(error)) from error
            yield Frame(index, index / self._fps, shrink(image, self._max_side))


def open_video(
    source: str | os.PathLike | np.ndarray | Video,
    fps: float = DEFAULT_FPS,
    max_side: int = MAX_SIDE,
) -> Video:
    """Return the frames of one video.

    Args:
        source: A file, a folder of numbered images, an array ``(T, H, W, 3)`` of uint8
            RGB, or a :class:`Video`, which is returned as it is.
        fps: Frames a second of folders and arrays.
        max_side: Larger frames are shrunk to this, in pixels.

    Raises:
        InputError: If it is none of these.
    """
    if isinstance(source, np.ndarray):
        return ArrayVideo(source, fps, max_side)
    if not isinstance(source, (str, os.PathLike)):
        return source
    if Path(source).is_dir():
        return FolderVideo(source, fps, max_side)
    return FileVideo(source, max_side)


def find_videos(sources: Sequence[str | os.PathLike]) -> list[str]:
    """Return the videos that paths, folders and patterns stand for, in order.

    A folder stands for the videos in it, or, where it holds numbered images instead,
    for the one clip that they are.

    Raises:
        InputError: If one stands for nothing, or is a URL.
    """
    found: list[str] = []
    for source in [os.fspath(path) for path in sources]:
        if '://' in source:
            raise InputError(f'{source}: a URL; download it first')
        if Path(source).is_dir():
            found += _in_folder(Path(source))
        elif Path(source).exists() or not glob.has_magic(source):
            found.append(source)  # a file that is not there is named when it is opened
        elif matches := sorted(glob.glob(source, recursive=True)):
            found += matches
        else:
            raise InputError(f'{source}: nothing matches this pattern')
    return list(dict.fromkeys(found))


def result_folders(out_dir: str | os.PathLike, names: Sequence[str]) -> list[Path]:
    """Return a folder for each video: its name, with a number where two share it."""
    folders: dict[Path, None] = {}
    for name in names:
        # Not resolved: a link has the name that the user gave it.
        stem = Path(os.path.abspath(name)).stem or 'video'
        folder, number = Path(out_dir) / stem, 1
        while folder in folders:
            number += 1
            folder = Path(out_dir) / f'{stem}_{number}'
        folders[folder] = None
    return list(folders)


def _in_folder(folder: Path) -> list[str]:
    # Hidden files are not the user's: macOS puts ._a.mp4 beside a.mp4.
    names = sorted(name for name in os.listdir(folder) if name[0] != '.')
    videos = [name for name in names if name.lower().endswith(VIDEO_SUFFIXES)]
    if videos:
        return [str(folder / name) for name in videos]
    if any(name.lower().endswith(FRAME_SUFFIXES) for name in names):
        return [str(folder)]
    raise InputError(
        f'{folder}: neither a video ({" ".join(VIDEO_SUFFIXES)}) nor numbered images '
        'in this folder'
    )
