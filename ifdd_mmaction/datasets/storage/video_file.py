"""A clip stored as a video file."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import decord
import numpy as np

from ..errors import DatasetError

VIDEO_SUFFIXES = (
    '.avi', '.flv', '.m4v', '.mkv', '.mov', '.mp4', '.mpeg', '.mpg', '.webm', '.wmv'
)  # fmt: skip


class VideoFile:
    """The frames of one video, decoded by decord.

    The constructor only looks whether the file is there: the number of frames takes
    opening it, so it is known when the clip is loaded, from the reader that then
    decodes it, and costs nothing more. Listing ten thousand videos stays as fast as
    listing folders, and no cache of lengths can be out of date.

    Args:
        path: Video file of any format that decord reads.

    Raises:
        DatasetError: If the file is absent or empty; from ``len`` and :meth:`read`, if
            decord cannot open or decode it.
    """

    def __init__(self, path: str | os.PathLike) -> None:
        self.path = os.fspath(path)
        self._reader: Any = None
        try:
            size = Path(path).stat().st_size
        except OSError as error:
            raise DatasetError(f'{path}: cannot be read: {error.strerror}') from error
        if not size:
            raise DatasetError(f'{path}: an empty file, no video: copy it again')

    def __getstate__(self) -> dict[str, Any]:
        # An open reader neither pickles nor belongs to another process.
        return {**self.__dict__, '_reader': None}

    @property
    def name(self) -> str:
        """The file."""
        return self.path

    def __len__(self) -> int:
        return len(self._open())

    def read(self, indexes: Sequence[int]) -> list[np.ndarray]:
        """Decode each frame that is asked for once; see :class:`ClipSource`."""
        reader = self._open()
        wanted = sorted(set(indexes))
        if wanted and not 0 <= wanted[0] <= wanted[-1] < len(reader):
            raise DatasetError(
                f'{self.path}: ends after {len(reader)} frames, frame {wanted[-1]} is '
                'asked for (counted from 0)'
            )
        try:
            frames = reader.get_batch(wanted).asnumpy()
        except (decord.DECORDError, RuntimeError) as error:
            raise DatasetError(
                f'{self.path}: damaged or ends early, not all of the frames '
                f'{wanted[0]}..{wanted[-1]} of {len(reader)} can be decoded'
            ) from error
        images = dict(zip(wanted, frames, strict=True))
        # Copies: transforms may write into one of two equal frames.
        return [images[i].copy() for i in indexes]

    def _open(self) -> Any:
        if self._reader is None:
            try:
                # One thread: the parallelism is that of the data loader's workers.
                self._reader = decord.VideoReader(self.path, num_threads=1)
            except (decord.DECORDError, RuntimeError) as error:
                raise DatasetError(
                    f'{self.path}: decord cannot open it: no video, cut off, or of an '
                    'unknown codec'
                ) from error
            if not len(self._reader):
                raise DatasetError(
                    f'{self.path}: a video without frames: copy it again'
                )
        return self._reader
