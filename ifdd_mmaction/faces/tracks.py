"""Track the faces of a video."""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from scipy.ndimage import gaussian_filter1d

from .detectors import Face
from .matching import FaceMatcher


@dataclass(frozen=True)
class Track:
    """The boxes of one face in ``n`` frames of a video.

    Attributes:
        id: Number of the track in its video, from 1 in order of appearance.
        frames: Frame indexes, ascending, ``(n,)`` int.
        boxes: Left, top, right, bottom in pixels, ``(n, 4)``.
        landmarks: Landmarks as in :class:`Face`, ``(n, 5, 2)``; NaN if there are none.
        scores: Scores of the detector, ``(n,)``; NaN in interpolated frames.
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
        track: A track that may have gaps.
        seconds: Time of every frame of the video, ``(F,)``: boxes are interpolated
            linearly in time.

    Example:
        >>> from ifdd_mmaction.faces import Track, fill_gaps
        >>> boxes = np.array([[0.0, 0, 10, 10], [4, 0, 14, 10]])
        >>> landmarks, scores = np.full((2, 5, 2), np.nan), np.ones(2)
        >>> track = Track(1, np.array([0, 2]), boxes, landmarks, scores)
        >>> fill_gaps(track, seconds=np.arange(3) / 25).boxes[1].tolist()
        [2.0, 0.0, 12.0, 10.0]
    """
    frames = np.arange(track.frames[0], track.frames[-1] + 1)
    # Scaled to 0..1: between times that are too close, the slope would be infinite.
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
    """Return a track whose boxes and landmarks are smoothed over time.

    Args:
        track: A track without gaps.
        sigma: Standard deviation of the Gaussian filter, in frames; 0 disables it.

    Example:
        >>> from ifdd_mmaction.faces import Track, smooth_track
        >>> boxes = np.array([[0.0, 0, 10, 10], [2, 0, 12, 10], [0, 0, 10, 10]])
        >>> landmarks, scores = np.full((3, 5, 2), np.nan), np.ones(3)
        >>> track = Track(1, np.arange(3), boxes, landmarks, scores)
        >>> smooth_track(track, sigma=2).boxes[:, 0].round(1).tolist()
        [0.4, 0.4, 0.4]
    """
    if sigma < 0.1:  # no effect at this width, and SciPy divides by its square
        return track
    # SciPy's memory grows with sigma, which is very large if all times are the same.
    sigma = min(sigma, len(track))
    boxes, landmarks = (
        gaussian_filter1d(values, sigma, axis=0, mode='nearest')
        for values in (track.boxes, track.landmarks)
    )
    return replace(track, boxes=boxes, landmarks=landmarks)


#: Numbers stored per face and frame: frame, box, landmarks, score.
COLUMNS = 1 + 4 + 10 + 1


@dataclass
class _GrowingTrack:
    """A track under construction; rows of numbers, 128 bytes per frame."""

    box: np.ndarray
    seconds: float
    rows: array = field(default_factory=lambda: array('d'))

    def add(self, frame: int, seconds: float, face: Face) -> None:
        points = np.full(10, np.nan)
        if face.landmarks is not None:
            points = face.landmarks.reshape(10)
        self.rows.extend([frame, *face.box, *points, face.score])
        self.box, self.seconds = face.box, seconds

    def track(self, number: int) -> Track:
        table = np.array(self.rows).reshape(-1, COLUMNS)
        return Track(
            number,
            table[:, 0].astype(int),
            table[:, 1:5],
            table[:, 5:15].reshape(-1, 5, 2),
            table[:, 15],
        )


class FaceTracker:
    """Assign the faces of frames to tracks by the IoU of their boxes.

    The assignment maximizes the total IoU of faces and tracks. A face that is not
    detected for up to ``max_gap`` (occluded or turned away) continues its track;
    after that it starts a new one. Identities are not recognized: a person who
    reappears later gets a new track, and one who appears at the same position after a
    cut continues the old track.

    Args:
        min_iou: Minimum IoU of a face with the last box of its track.
        max_gap: Maximum time without a detection within a track, in seconds. Tracks
            with a face in the last frame searched continue, whatever its age.
        min_faces: Minimum number of faces of a track; shorter ones are dropped as
            false detections.

    Example:
        >>> from ifdd_mmaction.faces import FaceTracker, WholeFrame
        >>> tracker, detect = FaceTracker(min_faces=2), WholeFrame()
        >>> for i in (0, 1, 3):
        ...     tracker.update(i, i / 25, detect(np.zeros((48, 64, 3), np.uint8)))
        >>> (track,) = tracker.finish()
        >>> track.id, track.frames.tolist(), track.boxes.shape
        (1, [0, 1, 3], (3, 4))
    """

    def __init__(
        self, min_iou: float = 0.3, max_gap: float = 1.0, min_faces: int = 3
    ) -> None:
        self.min_faces = min_faces
        self._matcher = FaceMatcher(self._begin, min_iou, max_gap)
        self._all: list[_GrowingTrack] = []

    def update(self, frame: int, seconds: float, faces: Sequence[Face]) -> None:
        """Add the faces of the next frame, at its time in seconds."""
        for one, face in self._matcher.update(seconds, faces):
            one.add(frame, seconds, face)

    def _begin(self, face: Face, seconds: float) -> _GrowingTrack:
        one = _GrowingTrack(face.box, seconds)
        self._all.append(one)
        return one

    def finish(self) -> list[Track]:
        """Return the tracks so far, with gaps, in order of appearance."""
        least = self.min_faces * COLUMNS
        kept = [one for one in self._all if len(one.rows) >= least]
        return [one.track(number) for number, one in enumerate(kept, start=1)]

    @property
    def dropped(self) -> int:
        """Number of tracks of fewer than ``min_faces`` faces."""
        return len(self._all) - len(self.finish())
