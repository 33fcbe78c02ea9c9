"""Videos as sequences of frames with times: files, folders and arrays."""

from __future__ import annotations

import glob
import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

import cv2
import numpy as np

from ..datasets import DatasetError
from ..datasets.images import read_image
from ..datasets.storage.clip_source import FRAME_SUFFIXES, VIDEO_SUFFIXES, list_frames
from ..decoding import VideoError, VideoReader
from ..errors import InputError

#: Default frames per second of arrays and folders of frames, which have no times.
DEFAULT_FPS = 25.0
#: Maximum side of a frame, in pixels. Face crops have a few hundred pixels, and an 8K
#: frame takes 100 MB.
MAX_SIDE = 1280


@dataclass(frozen=True)
class Frame:
    """A frame of a video, ``image`` as ``(H, W, 3)`` uint8 RGB."""

    index: int
    seconds: float
    image: np.ndarray


class Video(Protocol):
    """Frames in order of time; each ``iter`` starts at the first and holds only a few.

    Attributes:
        name: Path of the video, or another name.
        length: Number of frames, or None if unknown; only for progress bars.
    """

    name: str
    length: int | None

    def __iter__(self) -> Iterator[Frame]:
        """Yield the frames; an InputError names the position of damage."""


def shrink(image: np.ndarray, max_side: int) -> np.ndarray:
    """Return an image ``(H, W, 3)`` of at most ``max_side``, with its aspect ratio."""
    height, width = image.shape[:2]
    scale = max_side / max(height, width)
    if scale >= 1:
        return image
    size = (max(1, round(scale * width)), max(1, round(scale * height)))
    return cv2.resize(image, size, interpolation=cv2.INTER_AREA)


def one_size(frames: Iterable[Frame]) -> Iterator[Frame]:
    """Yield frames, each resized to the size of the first.

    Browsers change the size while they record, and images of a folder may differ;
    boxes and clips need a single size.
    """
    size = None
    for frame in frames:
        height, width = frame.image.shape[:2]
        size = size or (width, height)
        if (width, height) != size:
            frame = replace(frame, image=cv2.resize(frame.image, size))
        yield frame


class FileVideo:
    """The frames of a video file, rotated upright, with their presentation times.

    It is read by :class:`VideoReader`, as in training: the same frames and the same
    errors. Memory does not grow with the length.

    Args:
        path: The file.
        max_side: Larger frames are downscaled to this, in pixels.

    Raises:
        InputError: If the file is missing, empty or not a video; while reading, if it
            is damaged.

    Example:
        >>> from ifdd_mmaction.video import FileVideo
        >>> for frame in FileVideo('anna.mp4'):
        ...     if frame.index < 2:
        ...         print(frame.index, round(frame.seconds, 2), frame.image.shape)
        0 0.0 (48, 64, 3)
        1 0.04 (48, 64, 3)
    """

    def __init__(self, path: str | os.PathLike, max_side: int = MAX_SIDE) -> None:
        self.name = os.fspath(path)
        self.max_side = max_side
        self._reader = VideoReader(path)
        try:
            #: What decodes it, with its versions.
            self.decoder = self._reader.decoder_in_order
            info = self._reader.probe()
        except VideoError as error:
            raise InputError(str(error)) from error
        self.length = info.frames
        self._step = 1 / (info.rate or DEFAULT_FPS)

    def __iter__(self) -> Iterator[Frame]:
        """Yield the frames; see :class:`Video`."""
        first, seconds = None, 0.0
        try:
            for index, (time, image) in enumerate(self._reader.each(self._small)):
                # Raw streams have no times; in concatenated ones, times may decrease.
                if first is None:
                    first = time or 0.0
                elif time is None:
                    seconds += self._step
                else:
                    seconds = max(seconds, time - first)
                yield Frame(index, seconds, image)
        except VideoError as error:
            raise InputError(str(error)) from error

    def _small(
        self, time: float | None, image: np.ndarray
    ) -> tuple[float | None, np.ndarray]:
        return time, shrink(image, self.max_side)


class ArrayVideo:
    """Frames in memory.

    Args:
        frames: ``(T, H, W, 3)`` uint8 RGB.
        fps: Frames per second.
        max_side: Larger frames are downscaled to this, in pixels.
        name: Name of the video in errors and results.

    Raises:
        InputError: If the array has another shape or type.

    Example:
        >>> from ifdd_mmaction.video import ArrayVideo
        >>> video = ArrayVideo(np.zeros((8, 48, 64, 3), np.uint8), fps=10)
        >>> frames = list(video)
        >>> len(frames), frames[5].seconds, frames[5].image.shape
        (8, 0.5, (48, 64, 3))
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
                f'an array of shape {frames.shape} and type {frames.dtype}: it must be '
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
        fps: Frames per second.
        max_side: Larger frames are downscaled to this, in pixels.

    Raises:
        InputError: If the folder is missing or has no numbered image; while reading, if
            an image is damaged.

    Example:
        >>> from ifdd_mmaction.video import FolderVideo
        >>> video = FolderVideo('frames/anna', fps=10)
        >>> video.length, [frame.seconds for frame in video][:3]
        (8, [0.0, 0.1, 0.2])
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
    """Open a video from a file, a folder or an array.

    Args:
        source: A file, a folder of numbered images, an array ``(T, H, W, 3)`` of uint8
            RGB, or a :class:`Video`, which is returned unchanged.
        fps: Frames per second of folders and arrays.
        max_side: Larger frames are downscaled to this, in pixels.

    Raises:
        InputError: If the source is none of these.

    Example:
        >>> from ifdd_mmaction.video import open_video
        >>> array = np.zeros((8, 48, 64, 3), np.uint8)
        >>> for source in ('anna.mp4', 'frames/anna', array):
        ...     print(type(open_video(source)).__name__, len(list(open_video(source))))
        FileVideo 8
        FolderVideo 8
        ArrayVideo 8
    """
    if isinstance(source, np.ndarray):
        return ArrayVideo(source, fps, max_side)
    if not isinstance(source, (str, os.PathLike)):
        return source
    if Path(source).is_dir():
        return FolderVideo(source, fps, max_side)
    return FileVideo(source, max_side)


def find_videos(sources: Sequence[str | os.PathLike]) -> list[str]:
    """Return the videos of paths, folders and glob patterns, in order.

    A folder is replaced by the videos in it; a folder of numbered images is one video.

    Raises:
        InputError: If a pattern or folder has no video, or a source is a URL.

    Example:
        >>> from ifdd_mmaction.video import find_videos
        >>> find_videos(['*.mp4', 'frames/ben'])
        ['anna.mp4', 'frames/ben']
    """
    found: list[str] = []
    for source in [os.fspath(path) for path in sources]:
        if '://' in source:
            raise InputError(f'{source} is a URL: download it first')
        if Path(source).is_dir():
            found += _in_folder(Path(source))
        elif Path(source).exists() or not glob.has_magic(source):
            found.append(source)  # opening a missing file raises an error with its name
        elif matches := sorted(glob.glob(source, recursive=True)):
            found += matches
        else:
            raise InputError(f'{source}: no file matches this pattern')
    return list(dict.fromkeys(found))


def result_folders(out_dir: str | os.PathLike, names: Sequence[str]) -> list[Path]:
    """Return a folder per video, named after it, with a number for equal names.

    Example:
        >>> from ifdd_mmaction.video import result_folders
        >>> [str(path) for path in result_folders('out', ['a/anna.mp4', 'b/anna.mp4'])]
        ['out/anna', 'out/anna_2']
    """
    folders: dict[Path, None] = {}
    for name in names:
        # Links are not resolved: the user chose their names.
        stem = Path(os.path.abspath(name)).stem or 'video'
        folder, number = Path(out_dir) / stem, 1
        while folder in folders:
            number += 1
            folder = Path(out_dir) / f'{stem}_{number}'
        folders[folder] = None
    return list(folders)


def _in_folder(folder: Path) -> list[str]:
    # Hidden files are skipped: macOS creates ._a.mp4 next to a.mp4.
    names = sorted(name for name in os.listdir(folder) if name[0] != '.')
    videos = [name for name in names if name.lower().endswith(VIDEO_SUFFIXES)]
    if videos:
        return [str(folder / name) for name in videos]
    if any(name.lower().endswith(FRAME_SUFFIXES) for name in names):
        return [str(folder)]
    raise InputError(
        f'{folder} contains neither a video ({" ".join(VIDEO_SUFFIXES)}) nor numbered '
        'images'
    )
