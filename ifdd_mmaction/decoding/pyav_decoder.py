"""Decoding with PyAV, the default: in order, or from a key frame."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from .container import VideoError, choose_stream, open_container, pyav
from .open_video import Facts, Step
from .rgb import Geometry, fingerprint, geometry_of, to_rgb

if TYPE_CHECKING:
    from .index import Index


class PyAVVideo:
    """The video stream of one open file.

    Args:
        path: The file.
        step: Called for each packet and frame.

    Raises:
        VideoError: If it is not a video.
    """

    def __init__(self, path: str, step: Step) -> None:
        self.path = path
        self.step = step
        #: Presentation time and decoding time of the key frames read so far.
        self.keys: dict[int, int] = {}
        self._errors = pyav().error
        self._container = open_container(path)
        try:
            self._stream = choose_stream(path, self._container)
            # With one thread, a damaged frame is always concealed in the same way.
            self._stream.codec_context.thread_count = 1
        except BaseException:
            self._container.close()
            raise

    def __enter__(self) -> PyAVVideo:
        return self

    def __exit__(self, *_: object) -> None:
        self._container.close()

    def facts(self) -> Facts:
        """Return the values of the header."""
        rate = self._stream.guessed_rate
        return Facts(self._stream.frames or None, float(rate) if rate else None)

    def geometry_of(self, frame: Any) -> Geometry:
        """Return the geometry of the frames, from the first one.

        Raises:
            VideoError: If it is not supported; see :func:`geometry_of`.
        """
        return geometry_of(frame, self._stream.sample_aspect_ratio, self.path)

    def frames(self) -> Iterator[Any]:
        """Yield all frames of a file that was just opened.

        Raises:
            VideoError: If one cannot be decoded, or there is none.
        """
        count, first, last = 0, None, None
        try:
            for packet in self._container.demux(self._stream):
                self.step()
                if packet.is_keyframe:
                    times = [t for t in (packet.pts, packet.dts) if t is not None]
                    self.keys |= {times[0]: times[-1]} if times else {}
                try:
                    decoded = packet.decode()
                except self._errors.InvalidDataError:
                    # A recording can begin between two key frames.
                    if count or packet.is_keyframe:
                        raise
                    continue
                for frame in decoded:
                    self.step()
                    if frame.is_corrupt:
                        raise self._damaged(count, first, last)
                    count, last = count + 1, frame.time
                    first = last if first is None else first
                    yield frame
        except self._errors.FFmpegError as error:
            raise self._damaged(count, first, last) from error
        if not count:
            raise VideoError(f'{self.path}: a video without a frame: copy it again')

    def _damaged(
        self, frame: int, first: float | None, last: float | None
    ) -> VideoError:
        seconds = (last or 0.0) - (first or 0.0)
        return VideoError(
            f'{self.path}: damaged or ends early: cannot be decoded from frame '
            f'{frame} (second {seconds:.1f}) on: copy it again, or take what FFmpeg '
            'makes of it (ffmpeg -i OLD NEW)'
        )

    def find(
        self, wanted: Sequence[int], index: Index, place: int
    ) -> dict[int, np.ndarray] | None:
        """Decode frames, starting at a key frame.

        Args:
            wanted: Numbers of frames, increasing.
            index: The index of the video.
            place: Number of the key frame in ``index.places``.

        Returns:
            The images ``(H, W, 3)`` by number, or None if a frame differs from the
            index.
        """
        numbers = {int(index.stamps[i]): i for i in wanted}
        last = int(index.stamps[wanted[-1]])
        images: dict[int, np.ndarray] = {}
        context = self._stream.codec_context
        try:
            time = int(index.places[place]) - index.lead
            self._container.seek(time, stream=self._stream)
            for packet in self._container.demux(self._stream):
                self.step()
                if index.clock == 'pts':
                    # Frames that no other frame refers to need not be decoded.
                    used = packet.pts is None or packet.pts in numbers
                    context.skip_frame = 'DEFAULT' if used else 'NONREF'
                for frame in packet.decode():
                    self.step()
                    stamp = getattr(frame, index.clock)
                    if stamp is None or stamp > last:
                        return None
                    number = numbers.get(stamp)
                    if number is None:
                        continue
                    if frame.is_corrupt or not index.holds(number, fingerprint(frame)):
                        return None
                    images[number] = to_rgb(frame, index.geometry)
                    if len(images) == len(numbers):
                        return images
        except self._errors.FFmpegError:
            return None
        finally:
            context.skip_frame = 'DEFAULT'
        return None

    def to_rgb(self, frame: Any, geometry: Geometry) -> np.ndarray:
        """Return the image ``(H, W, 3)`` uint8 RGB as a new array."""
        return to_rgb(frame, geometry)

    def fingerprint(self, frame: Any) -> int:
        """Return a 32-bit checksum of the decoded values of a frame."""
        return fingerprint(frame)
