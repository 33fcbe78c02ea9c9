"""One face over time."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from scipy.ndimage import gaussian_filter1d


@dataclass(frozen=True)
class Track:
    """The boxes of one face in ``n`` frames of a video.

    Attributes:
        id: Number of the track in its video, from 1 in the order of appearance.
        frames: Indexes of the frames, rising, ``(n,)`` int.
        boxes: Left, top, right, bottom in pixels, ``(n, 4)``.
        landmarks: Of :class:`Face`, ``(n, 5, 2)``; NaN where the detector gives none.
        scores: Of the detector, ``(n,)``; NaN in frames that were filled in.
    """

    id: int
    frames: np.ndarray
    boxes: np.ndarray
    landmarks: np.ndarray
    scores: np.ndarray

    def __len__(self) -> int:
        return len(self.frames)


def fill_gaps(track: Track, seconds: np.ndarray) -> Track:
    """Return a track with a box in every frame from its first to its last.

    Args:
        track: A track that may lack frames in between.
        seconds: Time ``(F,)`` of every frame of the video: boxes move linearly in time.
    """
    frames = np.arange(track.frames[0], track.frames[-1] + 1)
    # From 0 to 1: between times that lie too close, the slope would be infinite.
    time = seconds[frames] - seconds[frames[0]]
    time = time / time[-1] if time[-1] > 0 else np.arange(len(frames))
    known = time[track.frames - frames[0]]

    def interpolate(values: np.ndarray) -> np.ndarray:
        columns = values.reshape(len(values), -1).T
        filled = np.stack([np.interp(time, known, column) for column in columns])
        return filled.T.reshape(len(frames), *values.shape[1:])

    scores = np.full(len(frames), np.nan)
    scores[track.frames - frames[0]] = track.scores
    return Track(
        track.id,
        frames,
        interpolate(track.boxes),
        interpolate(track.landmarks),
        scores,
    )


def smooth_track(track: Track, sigma: float) -> Track:
    """Return a track without the tremble of its detector.

    Args:
        track: A track without gaps.
        sigma: Standard deviation, in frames, of the Gaussian that averages positions;
            0 changes nothing.
    """
    if sigma < 0.1:  # narrower than a frame: SciPy divides by its square
        return track
    # SciPy's memory grows with sigma, which is huge where all times are the same.
    sigma = min(sigma, len(track))
    boxes, landmarks = (
        gaussian_filter1d(values, sigma, axis=0, mode='nearest')
        for values in (track.boxes, track.landmarks)
    )
    return replace(track, boxes=boxes, landmarks=landmarks)
