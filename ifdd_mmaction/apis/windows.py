"""Windows that slide over the faces of a video, and the clips in them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np

from ..faces import Track, crop_face
from ..video import Frame


@dataclass(frozen=True)
class Window:
    """A stretch of a track that becomes one clip of the model.

    Attributes:
        track: The track.
        start: Time of the first frame, in seconds.
        end: Time of the last frame.
        frames: Indexes of the frames of the clip, rising, ``(T,)``; a frame repeats
            where the video has fewer.
    """

    track: Track
    start: float
    end: float
    frames: np.ndarray


def plan_windows(
    track: Track, seconds: np.ndarray, clip_len: int, window: float, stride: float
) -> list[Window]:
    """Lay windows over a track, from its first frame to its last.

    Time is measured in seconds, not in frames: the frames of a clip are those next to
    ``clip_len`` moments at equal distances, whatever the frame rate, also where it
    varies. The last window ends with the track; a track shorter than a window is one.

    Args:
        track: A track without gaps.
        seconds: Time of every frame of the video, ``(F,)``.
        clip_len: Frames of a clip, T.
        window: Time from the first to the last frame of a clip.
        stride: Time from one window to the next.
    """
    times = seconds[track.frames]
    first, last = float(times[0]), float(times[-1])
    room = max(last - first - window, 0.0)
    starts = first + np.arange(0, room + 1e-6, stride)
    if room - (starts[-1] - first) > stride / 10:
        starts = np.append(starts, first + room)
    windows = []
    between = (times[1:] + times[:-1]) / 2  # nearer to the one or to the other frame
    for start in starts:
        end = min(start + window, last)
        moments = np.linspace(start, end, clip_len)
        # A moment half-way between two frames takes the earlier one.
        frames = track.frames[np.searchsorted(between, moments, side='left')]
        windows.append(Window(track, float(start), float(end), frames))
    return windows


def cut_clips(
    frames: Iterable[Frame],
    windows: Iterable[Window],
    crop: str | None,
    size: int,
) -> Iterator[tuple[Window, list[np.ndarray]]]:
    """Yield each window with the faces of its frames, as soon as all have been read.

    Faces are ``(size, size, 3)`` uint8 RGB.

    Only the faces of windows that are open are held: memory does not grow with the
    length of the video.

    Args:
        frames: The video, read once.
        windows: Of any tracks.
        crop: ``'square'`` or ``'align'``; None takes the whole frames.
        size: Edge of the faces, in pixels.
    """
    waiting = sorted(windows, key=lambda w: w.frames[0], reverse=True)
    opened: list[tuple[Window, dict[int, np.ndarray]]] = []
    for frame in frames:
        i = frame.index
        while waiting and waiting[-1].frames[0] <= i:
            opened.append((waiting.pop(), {}))
        cut: dict[int, np.ndarray] = {}
        for window, faces in opened:
            if i in window.frames:
                track = window.track
                if track.id not in cut:
                    cut[track.id] = _cut(frame.image, track, i, crop, size)
                faces[i] = cut[track.id]
        for window, faces in opened:
            if window.frames[-1] == i:
                # Copies where a frame repeats: transforms may write into it.
                yield window, [faces[k].copy() for k in window.frames]
        opened = [pair for pair in opened if pair[0].frames[-1] > i]
        if not opened and not waiting:
            return


def smooth_windows(
    probabilities: np.ndarray, moments: np.ndarray, sigma: float
) -> np.ndarray:
    """Average the probabilities ``(n, K)`` of windows with those beside them.

    Args:
        probabilities: Rows in order of time; they still sum to one afterwards.
        moments: Middles of the windows, ``(n,)``, in seconds, rising. A window counts
            for the time that it is nearest to, so one that is close to the next (the
            last of a track) counts less.
        sigma: Standard deviation of the Gaussian, in seconds; 0 changes nothing.
    """
    if sigma <= 0 or len(moments) < 2:
        return probabilities
    gaps = np.diff(moments)
    gaps = np.concatenate([[np.median(gaps)], gaps, [np.median(gaps)]])
    share = (gaps[1:] + gaps[:-1]) / 2
    first = np.searchsorted(moments, moments - 4 * sigma, side='left')
    last = np.searchsorted(moments, moments + 4 * sigma, side='right')
    smooth = np.empty_like(probabilities)
    for i, (a, b) in enumerate(zip(first, last, strict=True)):
        distance = (moments[a:b] - moments[i]) / sigma
        weight = share[a:b] * np.exp(-(distance**2) / 2)
        smooth[i] = weight @ probabilities[a:b] / weight.sum()
    return smooth


def _cut(
    image: np.ndarray, track: Track, frame: int, crop: str | None, size: int
) -> np.ndarray:
    if crop is None:
        return image
    row = frame - int(track.frames[0])
    return crop_face(image, track.boxes[row], track.landmarks[row], crop, size)
