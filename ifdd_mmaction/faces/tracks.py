"""Follow several faces through a video."""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from scipy.ndimage import gaussian_filter1d
from scipy.optimize import linear_sum_assignment

from .detectors import Face


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

    Example:
        >>> from ifdd_mmaction.faces import Track, fill_gaps
        >>> boxes = np.array([[0.0, 0, 10, 10], [4, 0, 14, 10]])
        >>> landmarks, scores = np.full((2, 5, 2), np.nan), np.ones(2)
        >>> track = Track(1, np.array([0, 2]), boxes, landmarks, scores)
        >>> fill_gaps(track, seconds=np.arange(3) / 25).boxes[1].tolist()
        [2.0, 0.0, 12.0, 10.0]
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
    """Return a track whose boxes and landmarks are averaged over time.

    Args:
        track: A track without gaps.
        sigma: Standard deviation, in frames, of the Gaussian that averages positions;
            0 changes nothing.

    Example:
        >>> from ifdd_mmaction.faces import Track, smooth_track
        >>> boxes = np.array([[0.0, 0, 10, 10], [2, 0, 12, 10], [0, 0, 10, 10]])
        >>> landmarks, scores = np.full((3, 5, 2), np.nan), np.ones(3)
        >>> track = Track(1, np.arange(3), boxes, landmarks, scores)
        >>> smooth_track(track, sigma=2).boxes[:, 0].round(1).tolist()
        [0.4, 0.4, 0.4]
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


#: Numbers kept of a face in a frame: frame, box, landmarks, score.
COLUMNS = 1 + 4 + 10 + 1


def iou(boxes: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Return the intersection over union ``(n, m)`` of ``(n, 4)`` and ``(m, 4)``."""
    low = np.maximum(boxes[:, None, :2], others[None, :, :2])
    high = np.minimum(boxes[:, None, 2:], others[None, :, 2:])
    common = (high - low).clip(min=0).prod(axis=2)
    areas = [(b[:, 2:] - b[:, :2]).prod(axis=1) for b in (boxes, others)]
    union = areas[0][:, None] + areas[1] - common
    # Boxes without an area have nothing in common.
    return common / np.maximum(union, np.finfo(union.dtype).tiny)


@dataclass
class _Follower:
    """A track that grows; rows of plain numbers, 128 bytes a frame."""

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
    """Join detected faces to tracks by the overlap of their boxes.

    Faces and tracks are paired so that the total overlap is largest. A track without a
    face in some frames continues where its face is detected again within ``max_gap``;
    later, a new track starts. Identities are not compared: another person in the same
    place after a cut continues the track.

    Args:
        min_iou: Least overlap of a face with the last box of its track.
        max_gap: Longest time that a track goes on without its face, in seconds. A face
            that the last search found is not lost, however long ago that was.
        min_faces: Faces that a track needs: fewer are false alarms of the detector.

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
        self.min_iou = min_iou
        self.max_gap = max_gap
        self.min_faces = min_faces
        self._searched: float | None = None
        self._active: list[_Follower] = []
        self._all: list[_Follower] = []

    def update(self, frame: int, seconds: float, faces: Sequence[Face]) -> None:
        """Add the faces of the next frame, at its time in seconds."""
        self._active = [
            one
            for one in self._active
            if one.seconds == self._searched or seconds - one.seconds <= self.max_gap
        ]
        self._searched = seconds
        left = set(range(len(faces)))
        if self._active and faces:
            overlap = iou(
                np.stack([one.box for one in self._active]),
                np.stack([face.box for face in faces]),
            )
            for i, k in zip(*linear_sum_assignment(-overlap), strict=True):
                if overlap[i, k] >= self.min_iou:
                    self._active[i].add(frame, seconds, faces[k])
                    left.remove(int(k))
        for k in sorted(left):
            one = _Follower(faces[k].box, seconds)
            one.add(frame, seconds, faces[k])
            self._active.append(one)
            self._all.append(one)

    def finish(self) -> list[Track]:
        """Return the tracks so far, with gaps, in the order of their appearance."""
        least = self.min_faces * COLUMNS
        kept = [one for one in self._all if len(one.rows) >= least]
        return [one.track(number) for number, one in enumerate(kept, start=1)]

    @property
    def dropped(self) -> int:
        """Tracks of fewer than ``min_faces`` faces."""
        return len(self._all) - len(self.finish())
