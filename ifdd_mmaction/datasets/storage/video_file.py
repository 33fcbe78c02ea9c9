"""A clip stored as a video file."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np

from ...decoding import StuckError, VideoError, VideoReader
from ..errors import DatasetError, StuckVideoError

VIDEO_SUFFIXES = (
    '.3gp', '.avi', '.flv', '.gif', '.m2ts', '.m4v', '.mkv', '.mov', '.mp4', '.mpeg',
    '.mpg', '.mts', '.ogv', '.ts', '.webm', '.wmv',
)  # fmt: skip


class VideoFile:
    """The frames of one video, read by :class:`VideoReader`, as inference reads them.

    The constructor only looks whether the file is there: listing ten thousand videos
    stays as fast as listing folders. The number of frames is known once the video has
    been decoded, from the cache of the reader or, the first time, by decoding it.

    Args:
        path: Video file of any format that FFmpeg reads.

    Raises:
        DatasetError: If the file is absent or empty; from everything else, if it cannot
            be decoded. A StuckVideoError if no frame is decoded for too long.
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
