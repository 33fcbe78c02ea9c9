"""Detect and track the faces of a live video, in bounded memory."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from ..video import Frame
from .detectors import Face, FaceDetector
from .matching import FaceMatcher


@dataclass(eq=False)
class LiveTrack:
    """A face in a live video, as it is now.

    Attributes:
        box: Its last detected box, ``(4,)``: left, top, right, bottom in pixels.
        seconds: The time of that box, in seconds.
        id: Number of the track, from 1; 0 while it may be a false detection.
        faces: Number of detections.
        visible: Whether it was found when the detector ran last.
        smooth_box: The smoothed box, ``(4,)``.
        smooth_landmarks: Smoothed landmarks as in :class:`Face`, ``(5, 2)``; NaN if the
            detector has none.
    """

    box: np.ndarray
    seconds: float
    id: int = 0
    faces: int = 0
    visible: bool = True
    smooth_box: np.ndarray = field(default_factory=lambda: np.full(4, np.nan))
    smooth_landmarks: np.ndarray = field(
        default_factory=lambda: np.full((5, 2), np.nan)
    )
    _landmarks: np.ndarray = field(default_factory=lambda: np.full((5, 2), np.nan))

    def add(self, face: Face, seconds: float) -> None:
        """Continue the track with a face that was detected at a time."""
        self.box, self.seconds = face.box, seconds
        if face.landmarks is not None:
            self._landmarks = face.landmarks
        self.faces += 1

    def approach(self, share: float) -> None:
        """Move the smoothed box by a share of the way to the last detected one."""
        for old, new in (
            (self.smooth_box, self.box),
            (self.smooth_landmarks, self._landmarks),
        ):
            old[:] = np.where(np.isfinite(old), old + share * (new - old), new)


class LiveTracker:
    """Track the faces of a live video, frame by frame.

    The detector runs on every n-th frame. Boxes are smoothed by an average whose
    weights fall exponentially with age, in every frame, so that they also move between
    two detections. Only the current boxes are kept: memory does not grow with time.

    Args:
        detector: Face detector.
        detect_every: Run the detector on every n-th frame.
        max_gap: Maximum time without a detection within a track, in seconds.
        smooth: Time constant of the average, in seconds; 0 disables it.
        min_faces: Detections after which a track gets its number and is shown; others
            are treated as false detections.

    Example:
        >>> from ifdd_mmaction.faces import LiveTracker, WholeFrame
        >>> from ifdd_mmaction.video import Frame
        >>> tracker, image = LiveTracker(WholeFrame()), np.zeros((48, 64, 3), np.uint8)
        >>> [len(tracker(Frame(i, i / 25, image))) for i in range(9)]
        [0, 0, 0, 0, 0, 0, 1, 1, 1]
    """

    def __init__(
        self,
        detector: FaceDetector,
        detect_every: int = 3,
        max_gap: float = 1.0,
        smooth: float = 0.05,
        min_faces: int = 3,
    ) -> None:
        self.detector = detector
        self.detect_every = detect_every
        self.smooth = smooth
        self.min_faces = min_faces
        self._matcher = FaceMatcher(
            lambda face, seconds: LiveTrack(face.box, seconds), max_gap=max_gap
        )
        self._frames = self._numbers = 0
        self._seconds = -np.inf

    def __call__(self, frame: Frame) -> list[LiveTrack]:
        """Return the tracks of the faces that are visible in the next frame."""
        if self._frames % self.detect_every == 0:
            self._search(frame)
        self._frames += 1
        passed = frame.seconds - self._seconds
        self._seconds = frame.seconds
        share = 1 - np.exp(-passed / self.smooth) if self.smooth > 0 else 1.0
        for one in self._matcher.active:
            one.approach(share)
        return [one for one in self._matcher.active if one.id and one.visible]

    @property
    def active(self) -> set[int]:
        """Numbers of the tracks that have not ended."""
        return {one.id for one in self._matcher.active if one.id}

    def _search(self, frame: Frame) -> None:
        pairs = self._matcher.update(frame.seconds, self.detector(frame.image))
        for one in self._matcher.active:
            one.visible = False
        for one, face in pairs:
            one.add(face, frame.seconds)
            one.visible = True
            if not one.id and one.faces >= self.min_faces:
                self._numbers += 1
                one.id = self._numbers
