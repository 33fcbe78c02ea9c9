"""Read a video file from its first frame to its last."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import decord
import numpy as np

from ..errors import InputError
from .frame import DEFAULT_FPS, MAX_SIDE, Frame, one_size, shrink
from .pyav import av

# FFmpeg's own lines about damaged files, beside the one that we raise.
decord.logging.set_level(decord.logging.QUIET)


class FileVideo:
    """The frames of a video file, upright, with the times at which they are shown.

    PyAV reads it where it is installed, else decord, which knows less (no AV1), turns
    frames of some widths wrongly, and decodes ahead without a limit where its caller is
    slow: 30 minutes took 4 GB. With PyAV memory does not grow with length.

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
        if not Path(path).is_file():
            raise InputError(f'{path}: no such file')
        if not Path(path).stat().st_size:
            raise InputError(f'{path}: an empty file, no video')
        self.length: int | None
        if av is not None:
            self.decoder, self.length = 'PyAV', self._check()
            return
        try:
            self.decoder, self.length = 'decord', len(self._open_decord())
        except (decord.DECORDError, RuntimeError) as error:
            raise InputError(
                f'{path}: no video that decord can read; PyAV reads more (AV1 for '
                'one): pip install "ifdd-mmaction[video]"'
            ) from error

    def __iter__(self) -> Iterator[Frame]:
        """Yield the frames; see :class:`Video`."""
        return one_size(self._frames())

    def _frames(self) -> Iterator[Frame]:
        frames = self._decord() if self.decoder == 'decord' else self._pyav()
        for index, (seconds, image) in enumerate(frames):
            # Turned frames are views that OpenCV would refuse.
            image = np.ascontiguousarray(shrink(image, self.max_side))
            yield Frame(index, seconds, image)

    def _open_decord(self) -> Any:
        return decord.VideoReader(self.name)

    def _decord(self) -> Iterator[tuple[float, np.ndarray]]:
        reader = self._open_decord()
        starts = reader.get_frame_timestamp(np.arange(len(reader)))[:, 0]
        starts = np.asarray(starts, dtype=float)
        for index, start in enumerate(starts - starts[:1]):
            try:
                image = reader.next().asnumpy()
            except (decord.DECORDError, RuntimeError, StopIteration) as error:
                raise self._damaged(index, start) from error
            if image.shape[2] != 3:
                raise InputError(
                    f'{self.name}: a turned video, which decord reads wrongly; PyAV '
                    'does not: pip install "ifdd-mmaction[video]"'
                )
            yield float(start), image

    def _check(self) -> int | None:
        """Return the number of frames if the file says it; refuse what is no video."""
        try:
            with av.open(self.name) as container:
                if len(container.streams) and not container.streams.video:
                    raise InputError(f'{self.name}: has no picture, only other streams')
                if next(container.decode(video=0), None) is None:
                    raise InputError(f'{self.name}: a video without a frame')
                return container.streams.video[0].frames or None
        except (av.error.FFmpegError, IndexError) as error:
            raise InputError(
                f'{self.name}: no video, cut off, or of an unknown codec'
            ) from error

    def _pyav(self) -> Iterator[tuple[float, np.ndarray]]:
        first, count, seconds = None, 0, 0.0
        with av.open(self.name) as container:
            stream = container.streams.video[0]
            stream.thread_type = 'AUTO'
            step = 1 / float(stream.guessed_rate or DEFAULT_FPS)
            try:
                for frame in container.decode(stream):
                    # Raw streams have no times, joined ones may fall back.
                    if first is None:
                        first = frame.time or 0.0
                    elif frame.time is None:
                        seconds += step
                    else:
                        seconds = max(seconds, frame.time - first)
                    image = frame.to_ndarray(format='rgb24')
                    yield seconds, np.rot90(image, k=round(frame.rotation / 90) % 4)
                    count += 1
            except av.error.FFmpegError as error:
                raise self._damaged(count, seconds) from error

    def _damaged(self, index: int, seconds: float) -> InputError:
        return InputError(
            f'{self.name}: damaged, or ends early: cannot be decoded from frame '
            f'{index} (second {seconds:.1f}) on'
        )
