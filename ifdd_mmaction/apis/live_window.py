"""The rolling window over one face of a live video."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

import numpy as np

from .face_clips import nearest_frames

#: Crops of a window per frame of a clip: those of more frames are not kept.
CROPS_PER_FRAME = 4


@dataclass(frozen=True)
class LivePrediction:
    """The expression of one face at one time.

    Attributes:
        track: Number of the track, from 1.
        seconds: Time of the newest frame of the window.
        raw: Predicted probabilities of the ``K`` classes, ``(K,)``.
        smoothed: Probabilities smoothed over the predictions so far, ``(K,)``.
    """

    track: int
    seconds: float
    raw: np.ndarray
    smoothed: np.ndarray


class LiveWindow:
    """The crops of a face of the last seconds, and its last prediction.

    Args:
        seconds: Length of the window.
        clip_len: Frames of a clip, T.

    Attributes:
        crops: Time in seconds and crop ``(size, size, 3)`` uint8 RGB, in order of time;
            at most :data:`CROPS_PER_FRAME` for each frame of a clip, and two more.
        last: The last prediction, or None.
    """

    def __init__(self, seconds: float, clip_len: int) -> None:
        self.seconds, self.clip_len = seconds, clip_len
        self.crops: deque[tuple[float, np.ndarray]] = deque()
        self.last: LivePrediction | None = None

    def add(self, now: float, crop: np.ndarray) -> None:
        """Hold a crop ``(size, size, 3)``, and let go of what is too old."""
        step = self.seconds / (CROPS_PER_FRAME * self.clip_len)
        if not self.crops or now - self.crops[-1][0] >= step:
            self.crops.append((now, crop))
        # The oldest one is at the start of the window, or a little before.
        while len(self.crops) > 1 and self.crops[1][0] <= now - self.seconds:
            self.crops.popleft()

    def clip(self, now: float) -> list[np.ndarray] | None:
        """Return the T frames ``(size, size, 3)`` of a clip; None until it is full."""
        times = np.array([seconds for seconds, _ in self.crops])
        # A frame of tolerance: the oldest crop may be a little younger.
        enough = self.seconds * (1 - 1 / self.clip_len)
        if len(times) < 2 or now - times[0] < enough:
            return None
        chosen = nearest_frames(times, now - self.seconds, now, self.clip_len)
        return [self.crops[i][1] for i in chosen]
