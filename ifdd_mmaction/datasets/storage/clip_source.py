"""How the frames of a clip are read: from a folder, a video, or a part of one."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from ...decoding import StuckError, VideoError, VideoReader
from ..errors import DatasetError, StuckVideoError
from ..images import read_image
from .frame_order import order_frames


class ClipSource(Protocol):
    """The frames of one clip: small, picklable, nothing decoded before it is read."""

    @property
    def name(self) -> str:
        """What to call the clip in messages: its path."""

    def __len__(self) -> int:
        """Return the number of frames."""

    def read(self, indexes: Sequence[int]) -> list[np.ndarray]:
        """Decode the frames of the indexes, in their order, repeats allowed.

        Returns:
            RGB images ``(H, W, 3)`` uint8, of which none shares memory with another.

        Raises:
            DatasetError: If a frame cannot be read; it is named.
        """


FRAME_SUFFIXES = ('.jpg', '.jpeg', '.png')


def list_frames(folder: Path) -> list[str]:
    """Return the frame files of a folder in the order of :func:`order_frames`.

    Hidden files, such as the ``._3.jpg`` that macOS writes beside ``3.jpg``, are no
    frames.

    Raises:
        DatasetError: If the folder is absent, unreadable or has no frame, or the names
            do not tell their order.
    """
    try:
        names = [
            name
            for name in os.listdir(folder)
            if name.lower().endswith(FRAME_SUFFIXES) and not name.startswith('.')
        ]
    except FileNotFoundError:
        raise DatasetError(f'{folder}: no such folder') from None
    except OSError as error:
        raise DatasetError(
            f'{folder}: no folder of frames: {error.strerror}'
        ) from error
    if not names:
        raise DatasetError(f'{folder}: no frame ({", ".join(FRAME_SUFFIXES)})')
    return order_frames(folder, names)


class FolderClipSource:
    """The frames of one folder, listed from disk.

    Args:
        folder: Folder of numbered images; it is listed at once.
        frames: Names of the images to take, in order; by default all of the folder.

    Raises:
        DatasetError: If :func:`list_frames` refuses the folder, or a named image is
            absent.

    Example:
        >>> from ifdd_mmaction.datasets.storage import FolderClipSource
        >>> clip = FolderClipSource('frames/anna')
        >>> len(clip), clip.frames[:2]
        (8, ['1.png', '2.png'])
        >>> [image.shape for image in clip.read([0, 7])]
        [(32, 32, 3), (32, 32, 3)]
    """

    def __init__(
        self, folder: str | os.PathLike, frames: Sequence[str] | None = None
    ) -> None:
        self.folder = str(folder)
        for name in frames or ():
            if not (Path(folder) / name).is_file():
                raise DatasetError(f'{Path(folder) / name}: no such file')
        self.frames = list_frames(Path(folder)) if frames is None else list(frames)

    @property
    def name(self) -> str:
        """The folder."""
        return self.folder

    def __len__(self) -> int:
        return len(self.frames)

    def read(self, indexes: Sequence[int]) -> list[np.ndarray]:
        """Decode each frame asked for once, ``(H, W, 3)``; see :class:`ClipSource`."""
        images: dict[int, np.ndarray] = {}
        result = []
        for i in indexes:
            # A copy where a frame repeats: transforms may write into it.
            image = images[i].copy() if i in images else self._read(i)
            images.setdefault(i, image)
            result.append(image)
        return result

    def _read(self, index: int) -> np.ndarray:
        # A pathlib.Path interns its parts, and after some thousand clips Python writes
        # its table of such strings, megabytes, to another place: a worker grows by it.
        return read_image(os.path.join(self.folder, self.frames[index]))


VIDEO_SUFFIXES = (
    '.3gp', '.avi', '.flv', '.gif', '.m2ts', '.m4v', '.mkv', '.mov', '.mp4', '.mpeg',
    '.mpg', '.mts', '.ogv', '.ts', '.webm', '.wmv',
)  # fmt: skip


class VideoClipSource:
    """The frames of one video, read by :class:`VideoReader`, as inference reads them.

    The constructor only looks whether the file is there: listing ten thousand videos
    stays as fast as listing folders. The number of frames is known once the video has
    been decoded, from the cache of the reader or, the first time, by decoding it.

    Args:
        path: Video file of any format that FFmpeg reads.

    Raises:
        DatasetError: If the file is absent or empty; from the other methods, if it
            cannot be decoded. A StuckVideoError if no frame is decoded for too long.

    Example:
        >>> from ifdd_mmaction.datasets.storage import VideoClipSource
        >>> clip = VideoClipSource('anna.mp4')
        >>> len(clip)
        8
        >>> [image.shape for image in clip.read([0, 7])]
        [(48, 64, 3), (48, 64, 3)]
    """

    def __init__(self, path: str | os.PathLike) -> None:
        self.path = os.fspath(path)
        self._reader: VideoReader | None = None
        try:
            size = os.stat(self.path).st_size
        except OSError as error:
            raise DatasetError(f'{path}: cannot be read: {error.strerror}') from error
        if not size:
            raise DatasetError(f'{path}: an empty file, no video: copy it again')

    def __getstate__(self) -> dict[str, Any]:
        # What is known of the frames is read again, from the cache.
        return {**self.__dict__, '_reader': None}

    @property
    def name(self) -> str:
        """The file."""
        return self.path

    @property
    def decoder(self) -> str:
        """What decodes it, with its version."""
        with self._open() as reader:
            return reader.decoder

    def __len__(self) -> int:
        with self._open() as reader:
            return len(reader)

    def read(self, indexes: Sequence[int]) -> list[np.ndarray]:
        """Decode each frame asked for once, ``(H, W, 3)``; see :class:`ClipSource`."""
        with self._open() as reader:
            return reader.read(indexes)

    def frames(self) -> Iterator[np.ndarray]:
        """Decode all frames in order, ``(H, W, 3)`` uint8 RGB; few are held at a time.

        Raises:
            DatasetError: If one cannot be decoded.
        """
        with self._open() as reader:
            yield from reader.each(lambda seconds, image: image)

    @contextmanager
    def _open(self) -> Iterator[VideoReader]:
        if self._reader is None:
            self._reader = VideoReader(self.path)
        try:
            yield self._reader
        except StuckError as error:
            raise StuckVideoError(str(error), self.path) from error
        except VideoError as error:
            raise DatasetError(str(error)) from error


class Segment:
    """The frames ``start`` to before ``stop`` of a longer source.

    Args:
        source: Where the frames are.
        start: Position of the first frame, from 0.
        stop: Position behind the last frame; None for the end of the source.

    Raises:
        DatasetError: From ``len`` and :meth:`read`, if the source ends earlier.

    Example:
        >>> from ifdd_mmaction.datasets.storage import FolderClipSource, Segment
        >>> clip = Segment(FolderClipSource('frames/anna'), start=2, stop=6)
        >>> clip.name, len(clip)
        ('frames/anna[2:6]', 4)
    """

    def __init__(self, source: ClipSource, start: int, stop: int | None) -> None:
        self.source = source
        self.start = start
        self.stop = stop

    @property
    def name(self) -> str:
        """The whole clip and the part."""
        stop = '' if self.stop is None else self.stop
        return f'{self.source.name}[{self.start}:{stop}]'

    def __len__(self) -> int:
        total = len(self.source)
        stop = total if self.stop is None else self.stop
        if not self.start < stop <= total:
            raise DatasetError(
                f'{self.name}: the clip has {total} frames: end there, or before'
            )
        return stop - self.start

    def read(self, indexes: Sequence[int]) -> list[np.ndarray]:
        """Decode frames ``(H, W, 3)`` from ``start`` on; see :class:`ClipSource`."""
        return self.source.read([self.start + i for i in indexes])


def open_source(path: Path) -> ClipSource:
    """Return the source for a folder of frames, a video file or a single image.

    Raises:
        DatasetError: If there is nothing to read at the path.

    Example:
        >>> from pathlib import Path
        >>> from ifdd_mmaction.datasets.storage import open_source
        >>> for path in ('frames/anna', 'frames/anna/1.png', 'anna.mp4'):
        ...     print(type(open_source(Path(path))).__name__)
        FolderClipSource
        FolderClipSource
        VideoClipSource
    """
    suffix = path.suffix.lower()
    if suffix not in VIDEO_SUFFIXES + FRAME_SUFFIXES or path.is_dir():
        return FolderClipSource(path)
    frames = path.with_suffix('')
    if not path.exists() and frames.is_dir():
        raise DatasetError(
            f'{path}: no such file, but {frames} is a folder: list it without {suffix}'
        )
    if suffix in VIDEO_SUFFIXES:
        return VideoClipSource(path)
    return FolderClipSource(path.parent, frames=[path.name])
