"""One face in one frame, and what finds it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np


@dataclass(frozen=True)
class Face:
    """A face in a frame, in pixels of that frame.

    Attributes:
        box: Left, top, right, bottom, ``(4,)`` float.
        landmarks: Eye, eye, nose tip, mouth corner, mouth corner, those on the left of
            the picture first, ``(5, 2)`` of x and y; or None.
        score: How sure the detector is, 0 to 1.
    """

    box: np.ndarray
    landmarks: np.ndarray | None
    score: float


class FaceDetector(Protocol):
    """Finds the faces of a frame."""

    name: str

    def __call__(self, frame: np.ndarray) -> list[Face]:
        """Return the faces of a frame ``(H, W, 3)``, uint8 RGB."""
