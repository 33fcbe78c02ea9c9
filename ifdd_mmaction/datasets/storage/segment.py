"""A part of a clip."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..errors import DatasetError
from .clip_source import ClipSource


class Segment:
    """The frames ``start`` to before ``stop`` of a longer source.

    Args:
        source: Where the frames are.
        start: Position of the first frame, from 0.
        stop: Position behind the last frame; None for the end of the source.

    Raises:
        DatasetError: From ``len`` and :meth:`read`, if the source ends earlier.
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
        """Decode frames counted from ``start``; see :class:`ClipSource`."""
        return self.source.read([self.start + i for i in indexes])
