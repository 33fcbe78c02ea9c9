"""Read a video file from its first frame to its last."""

from __future__ import annotations

import os
from collections.abc import Iterator

import numpy as np

from ..decoding import VideoError, VideoReader
from ..errors import InputError
from .frame import DEFAULT_FPS, MAX_SIDE, Frame, shrink


class FileVideo:
    """The frames of a video file, upright, with the times at which they are shown.

    :class:`VideoReader` reads it, as in training: the same frames, the same refusals.
    Memory does not grow with length.

    Args:
        path: The file.
        max_side: Larger frames are shrunk to this, in pixels.

    Raises:
        InputError: If it is absent, empty or no video; while reading, if it is
            damaged.
    """

    def __init__(self, path: str | os.PathLike, max_side: int = MAX_SIDE) -> None:
        self.name = os.fspath(path)
        self.max_side = max_side
        self._reader = VideoReader(path)
        try:
            self.decoder = self._reader.decoder
            facts = self._reader.probe()
        except VideoError as error:
            raise InputError(str(error)) from error
        self.length = facts.frames
        self._step = 1 / (facts.rate or DEFAULT_FPS)

    def __iter__(self) -> Iterator[Frame]:
        """Yield the frames; see :class:`Video`."""
        first, seconds = None, 0.0
        try:
            for index, (time, image) in enumerate(self._reader.each(self._small)):
                # Raw streams have no times, joined ones may fall back.
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
