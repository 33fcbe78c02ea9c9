"""What the reader needs of a decoder: an open video, and its frames."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from .rgb import Geometry

if TYPE_CHECKING:
    from .index import Index

#: Called for each packet and frame, so that a decoder that hangs is noticed.
Step = Callable[[], None]


@dataclass(frozen=True)
class Facts:
    """Values from the header of a video, which can be wrong.

    Args:
        frames: Number of frames, or None.
        rate: Frames per second, or None.
    """

    frames: int | None
    rate: float | None


class OpenVideo(Protocol):
    """The video stream of one open file, decoded by one of the decoders.

    Attributes:
        keys: Presentation time and decoding time, in ticks, of the key frames that
            :meth:`frames` has passed.
    """

    keys: dict[int, int]

    def __enter__(self) -> OpenVideo: ...

    def __exit__(self, *_: object) -> None: ...

    def facts(self) -> Facts:
        """Return the values of the header."""

    def geometry_of(self, frame: Any) -> Geometry:
        """Return the geometry of the frames, from the first one.

        Raises:
            VideoError: If it is not supported.
        """

    def frames(self) -> Iterator[Any]:
        """Yield all frames of a file that was just opened, without seeking.

        They have ``pts`` and ``dts`` in ticks, and ``time`` in seconds, or None.

        Raises:
            VideoError: If one cannot be decoded, or there is none.
        """

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

    def to_rgb(self, frame: Any, geometry: Geometry) -> np.ndarray:
        """Return the image ``(H, W, 3)`` uint8 RGB of a frame as a new array."""

    def fingerprint(self, frame: Any) -> int:
        """Return a 32-bit checksum of the values of a frame."""


@dataclass(frozen=True)
class Picture:
    """A frame of a decoder that converts to RGB itself.

    Args:
        image: ``(H, W, 3)`` uint8 RGB; its memory may belong to the decoder.
        time: Presentation time in seconds, or None.
    """

    image: np.ndarray
    time: float | None = None

    @property
    def pts(self) -> int | None:
        """The presentation time in nanoseconds."""
        return None if self.time is None else round(1e9 * self.time)

    dts = None


def checksum(image: np.ndarray) -> int:
    """Return a 32-bit checksum of an image ``(H, W, 3)`` uint8."""
    return zlib.crc32(np.ascontiguousarray(image).data)
