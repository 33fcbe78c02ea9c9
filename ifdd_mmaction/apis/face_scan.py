"""The first look at a video: where its faces are."""

from __future__ import annotations

import time
from array import array
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

import numpy as np

from ..errors import InputError
from ..faces import FaceDetector, FaceTracker, Track, fill_gaps, smooth_track
from ..video import Frame, Video

#: Wraps the frames of a video in a progress bar: frames, description, length.
Progress = Callable[[Iterable[Frame], str, 'int | None'], Iterable[Frame]]


@dataclass(frozen=True)
class FaceScan:
    """The faces of a video.

    Attributes:
        video: The video.
        seconds: Time of every frame, ``(F,)``.
        size: Width and height of the frames, in pixels.
        tracks: Faces over time, with a box in every frame from first to last.
        dropped: Tracks that were too short to be faces.
        searched: Frames in which faces were searched.
        detecting: Seconds that the detector took in all.
    """

    video: Video
    seconds: np.ndarray
    size: tuple[int, int]
    tracks: list[Track]
    dropped: int
    searched: int
    detecting: float

    @property
    def rate(self) -> float:
        """Frames a second that the detector made."""
        return self.searched / max(self.detecting, 1e-9)


def scan_faces(
    video: Video,
    detector: FaceDetector,
    detect_every: int = 1,
    max_gap: float = 1.0,
    smooth: float = 0.1,
    progress: Progress | None = None,
) -> FaceScan:
    """Find and follow the faces of a video; of its frames only numbers are kept.

    Args:
        video: The video; it is read once.
        detector: What finds faces.
        detect_every: Faces are searched in every n-th frame, and move linearly in
            between.
        max_gap: Longest time that a track goes on without its face, in seconds.
        smooth: Standard deviation of the average over time of boxes, in seconds.
        progress: Wraps the frames to show how far it is.

    Raises:
        InputError: If the video has a single frame, is damaged, or shows no face.
    """
    seconds = array('d')
    tracker = FaceTracker(max_gap=max_gap)
    detecting, searched, size = 0.0, 0, (0, 0)
    frames: Iterable[Frame] = video
    if progress is not None:
        frames = progress(video, 'finding faces', video.length)
    for frame in frames:
        seconds.append(frame.seconds)
        size = (frame.image.shape[1], frame.image.shape[0])
        if frame.index % detect_every == 0:
            begin = time.perf_counter()
            faces = detector(frame.image)
            detecting += time.perf_counter() - begin
            searched += 1
            tracker.update(frame.index, frame.seconds, faces)
    if len(seconds) < 2:
        raise InputError(
            f'{video.name}: {len(seconds)} frame: emotions over time need a video'
        )
    times = np.array(seconds)
    tracks = tracker.finish()
    if not tracks:
        fleeting = tracker.dropped
        raise InputError(
            f'{video.name}: no face found in {searched} frames by the detector '
            f'{detector.name}'
            + (f', but {fleeting} in too few of them' if fleeting else '')
        )
    sigma = smooth * (len(times) - 1) / max(times[-1] - times[0], 1e-9)
    tracks = [smooth_track(fill_gaps(track, times), sigma) for track in tracks]
    return FaceScan(video, times, size, tracks, tracker.dropped, searched, detecting)


def iterate(video: Video, what: str, progress: Progress | None) -> Iterator[Frame]:
    """Yield the frames of a video, under a progress bar if there is one."""
    yield from progress(video, what, video.length) if progress else video
