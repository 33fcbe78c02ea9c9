"""The interface of the ways in which a clip is stored."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np


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
