"""Write a video that browsers play."""

from __future__ import annotations

import os
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import Any

import cv2
import numpy as np

av: Any
try:
    import av
except Exception:  # of any kind, where it does not load: OpenCV writes instead
    av = None

#: H.264 encoders that FFmpeg may have, in order of preference.
H264 = ('libx264', 'libopenh264', 'h264_videotoolbox', 'h264_mf')
#: Ticks per second: times of frames are exact to 11 microseconds.
TICKS = 90_000


class VideoWriter:
    """Write frames with their times to an MP4 file, which appears when it is complete.

    With PyAV the codec is H.264, which browsers play; without it MPEG-4 part 2 through
    OpenCV, which media players play but browsers do not. See the attributes ``codec``
    and ``browsers_play``.

    Args:
        path: The file, ``.mp4``.
        size: Width and height of the frames; an odd last row or column is cut off.
        fps: Frames per second. With PyAV only a hint, as each frame has its time.

    Raises:
        OSError: If the folder cannot be created or written.

    Example:
        >>> from ifdd_mmaction.video import FileVideo, VideoWriter
        >>> with VideoWriter('gray.mp4', size=(64, 48), fps=25) as video:
        ...     for i in range(5):
        ...         video.write(np.full((48, 64, 3), 50 * i, np.uint8), seconds=i / 25)
        >>> len(list(FileVideo('gray.mp4')))
        5
    """

    def __init__(
        self, path: str | os.PathLike, size: tuple[int, int], fps: float = 25.0
    ) -> None:
        self.path = Path(path)
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self._partial = self.path.with_name(f'.{self.path.stem}.{os.getpid()}.mp4')
        self.width, self.height = (side // 2 * 2 for side in size)
        encoder = h264_encoder()
        self.browsers_play = encoder is not None
        self.codec = f'H.264 ({encoder})' if encoder else 'MPEG-4 part 2'
        self._sink: _PyAVSink | _OpenCVSink = (
            _PyAVSink(self._partial, encoder, self.width, self.height, fps)
            if encoder
            else _OpenCVSink(self._partial, self.width, self.height, fps)
        )

    def write(self, image: np.ndarray, seconds: float) -> None:
        """Add a frame ``(H, W, 3)`` uint8 RGB at a time in seconds; times ascend."""
        self._sink.write(image[: self.height, : self.width], seconds)

    def __enter__(self) -> VideoWriter:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        try:
            self._sink.close()
            if kind is None:
                os.replace(self._partial, self.path)
        finally:
            self._partial.unlink(missing_ok=True)


def h264_encoder() -> str | None:
    """Return the name of PyAV's H.264 encoder, or None.

    Example:
        >>> from ifdd_mmaction.video import h264_encoder
        >>> h264_encoder()  # depends on PyAV's FFmpeg
        '...264...'
    """
    if av is None:
        return None
    available = av.codecs_available
    for name in H264:
        if name in available:
            try:
                av.codec.Codec(name, 'w')
            except ValueError:
                continue
            return name
    return None


class _PyAVSink:
    def __init__(
        self, path: Path, encoder: str, width: int, height: int, fps: float
    ) -> None:
        self._container = av.open(str(path), 'w', options={'movflags': 'faststart'})
        rate = Fraction(fps).limit_denominator(1001)
        stream: Any = self._container.add_stream(encoder, rate=rate)
        stream.width, stream.height = width, height
        stream.pix_fmt = 'yuv420p'  # what browsers decode
        stream.time_base = stream.codec_context.time_base = Fraction(1, TICKS)
        if encoder == 'libx264':
            stream.options = {'preset': 'veryfast', 'crf': '23'}
        self._stream = stream
        self._last = -1

    def write(self, image: np.ndarray, seconds: float) -> None:
        frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(image), 'rgb24')
        # Two frames of the same time would raise an error.
        self._last = max(self._last + 1, round(seconds * TICKS))
        frame.pts, frame.time_base = self._last, Fraction(1, TICKS)
        self._container.mux(self._stream.encode(frame))

    def close(self) -> None:
        if self._last >= 0:
            self._container.mux(self._stream.encode())
        self._container.close()


class _OpenCVSink:
    def __init__(self, path: Path, width: int, height: int, fps: float) -> None:
        code = cv2.VideoWriter.fourcc(*'mp4v')
        self._fps, self._written = fps, 0
        self._shown: np.ndarray | None = None
        self._writer = cv2.VideoWriter(str(path), code, fps, (width, height))
        if not self._writer.isOpened():
            raise OSError(f'OpenCV cannot write {path}')

    def write(self, image: np.ndarray, seconds: float) -> None:
        # The file's rate is constant: a frame is repeated until the next one's time.
        self._fill(round(seconds * self._fps))
        self._shown = np.ascontiguousarray(image[..., ::-1])

    def _fill(self, until: int) -> None:
        while self._shown is not None and self._written < until:
            self._writer.write(self._shown)
            self._written += 1

    def close(self) -> None:
        self._fill(self._written + 1)
        self._writer.release()
