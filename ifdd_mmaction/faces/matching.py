"""Assign the faces of a frame to those of earlier frames."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Generic, Protocol, TypeVar

import numpy as np
from scipy.optimize import linear_sum_assignment

from .detectors import Face


class Followed(Protocol):
    """A face that is followed.

    Attributes:
        box: Its last detected box, ``(4,)``: left, top, right, bottom in pixels.
        seconds: The time of that box, in seconds.
    """

    box: np.ndarray
    seconds: float


T = TypeVar('T', bound=Followed)


def iou(boxes: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Return the intersection over union ``(n, m)`` of ``(n, 4)`` and ``(m, 4)``."""
    low = np.maximum(boxes[:, None, :2], others[None, :, :2])
    high = np.minimum(boxes[:, None, 2:], others[None, :, 2:])
    common = (high - low).clip(min=0).prod(axis=2)
    areas = [(b[:, 2:] - b[:, :2]).prod(axis=1) for b in (boxes, others)]
    union = areas[0][:, None] + areas[1] - common
    # Boxes without area have an IoU of 0.
    return common / np.maximum(union, np.finfo(union.dtype).tiny)


class FaceMatcher(Generic[T]):
    """Continue tracks by the IoU of boxes, and hold those that may continue.

    The assignment maximizes the total IoU of faces and tracks. A track without a face
    for more than ``max_gap`` ends, and is no longer referred to.

    Args:
        begin: Makes a track of a face at a time in seconds.
        min_iou: Minimum IoU of a face with the last box of its track.
        max_gap: Maximum time without a detection within a track, in seconds. Tracks
            with a face in the last frame searched continue, whatever its age.

    Attributes:
        active: Tracks that may continue, in order of appearance.
    """

    def __init__(
        self,
        begin: Callable[[Face, float], T],
        min_iou: float = 0.3,
        max_gap: float = 1.0,
    ) -> None:
        self.begin = begin
        self.min_iou = min_iou
        self.max_gap = max_gap
        self.active: list[T] = []
        self._searched: float | None = None

    def update(self, seconds: float, faces: Sequence[Face]) -> list[tuple[T, Face]]:
        """Return the track of each face of the next frame, the new ones last."""
        self.active = [
            one
            for one in self.active
            if one.seconds == self._searched or seconds - one.seconds <= self.max_gap
        ]
        self._searched = seconds
        pairs: list[tuple[T, Face]] = []
        left = set(range(len(faces)))
        if self.active and faces:
            overlap = iou(
                np.stack([one.box for one in self.active]),
                np.stack([face.box for face in faces]),
            )
            for i, k in zip(*linear_sum_assignment(-overlap), strict=True):
                if overlap[i, k] >= self.min_iou:
                    pairs.append((self.active[i], faces[k]))
                    left.remove(int(k))
        for k in sorted(left):
            one = self.begin(faces[k], seconds)
            self.active.append(one)
            pairs.append((one, faces[k]))
        return pairs
