"""A video that is open, and decoded from where one wants."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from .container import VideoError, choose_stream, open_container, pyav
from .picture import Geometry, geometry_of, to_rgb

if TYPE_CHECKING:
    from .index import Index


@dataclass(frozen=True)
class Facts:
    """What the header of a video says, which need not be true.

    Args:
        frames: Number of frames, None if it does not say.
        rate: Frames a second, None if it does not say.
    """

    frames: int | None
    rate: float | None


class OpenVideo:
    """The film of one file, open.

    Args:
        path: The file.
        step: Called at each packet and frame.

    Raises:
        VideoError: If it is no video.
    """

    def __init__(self, path: str, step: Callable[[], None]) -> None:
        self.path = path
        self.step = step
        #: When the key frames that were met are shown, and when they are decoded.
        self.keys: dict[int, int] = {}
        self._errors = pyav().error
        self._container = open_container(path)
        try:
            self._stream = choose_stream(path, self._container)
            # In one thread what is guessed of a damaged frame is always the same.
            self._stream.codec_context.thread_count = 1
        except BaseException:
            self._container.close()
            raise

    def __enter__(self) -> OpenVideo:
        return self

    def __exit__(self, *_: object) -> None:
        self._container.close()

    def facts(self) -> Facts:
        """Return what the header says."""
        rate = self._stream.guessed_rate
        return Facts(self._stream.frames or None, float(rate) if rate else None)

    def geometry_of(self, frame: Any) -> Geometry:
        """Return how the frames are shown, from the first one.

        Raises:
            VideoError: If it is a way in which they cannot be shown.
        """
        return geometry_of(frame, self._stream.sample_aspect_ratio, self.path)

    def frames(self) -> Iterator[Any]:
        """Yield all frames of a file that was just opened, in order.

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
                    # A recording may begin between two key frames.
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
        """Decode from a key frame on.

        Args:
            wanted: Numbers of frames, rising.
            index: What decoding in order has found.
            place: Number of the key frame in ``index.places``.

        Returns:
            The images ``(H, W, 3)`` by number, or None if what comes is not what the
            index says.
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
                    # What no other frame is made from need not be decoded.
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
                    if frame.is_corrupt or not index.holds(number, frame):
                        return None
                    images[number] = to_rgb(frame, index.geometry)
                    if len(images) == len(numbers):
                        return images
        except self._errors.FFmpegError:
            return None
        finally:
            context.skip_frame = 'DEFAULT'
        return None
