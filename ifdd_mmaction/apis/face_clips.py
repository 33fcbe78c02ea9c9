"""Clips of the faces of a video: scan, windows, test pipeline."""

from __future__ import annotations

import time
from array import array
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from mmengine.config import Config
from mmengine.dataset import Compose
from mmengine.registry import init_default_scope
from torch import Tensor

from ..errors import InputError
from ..faces import (
    FaceDetector,
    FaceTracker,
    Track,
    crop_face,
    fill_gaps,
    smooth_track,
)
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
        tracks: Tracks, with a box in every frame from first to last.
        dropped: Number of tracks that were too short.
        searched: Number of frames passed to the detector.
        detecting: Total time of the detector, in seconds.
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
        """Frames per second of the detector."""
        return self.searched / max(self.detecting, 1e-9)


def scan_faces(
    video: Video,
    detector: FaceDetector,
    detect_every: int = 1,
    max_gap: float = 1.0,
    smooth: float = 0.1,
    progress: Progress | None = None,
) -> FaceScan:
    """Detect and track the faces of a video, without keeping its frames.

    Args:
        video: The video; it is read once.
        detector: Face detector.
        detect_every: Run the detector on every n-th frame, and interpolate the boxes in
            between.
        max_gap: Maximum time without a detection within a track, in seconds.
        smooth: Standard deviation of the Gaussian smoothing of boxes, in seconds.
        progress: Wraps the frames in a progress bar.

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
            f'{video.name} has {len(seconds)} frame: a video needs at least two'
        )
    times = np.array(seconds)
    tracks = tracker.finish()
    if not tracks:
        dropped = tracker.dropped
        raise InputError(
            f'{video.name}: the detector {detector.name} found no face in {searched} '
            'frames'
            + (f' except {dropped} in too few of them' if dropped else '')
            + ': use a larger detect_size, or another detector'
        )
    sigma = smooth * (len(times) - 1) / max(times[-1] - times[0], 1e-9)
    tracks = [smooth_track(fill_gaps(track, times), sigma) for track in tracks]
    return FaceScan(video, times, size, tracks, tracker.dropped, searched, detecting)


def iterate(video: Video, what: str, progress: Progress | None) -> Iterator[Frame]:
    """Yield the frames of a video, with an optional progress bar."""
    yield from progress(video, what, video.length) if progress else video


@dataclass(frozen=True)
class Window:
    """An interval of a track that becomes one clip of the model.

    Attributes:
        track: The track.
        start: Time of the first frame, in seconds.
        end: Time of the last frame, in seconds.
        frames: Frame indexes of the clip, ascending, ``(T,)``; frames are repeated if
            the video has fewer.
    """

    track: Track
    start: float
    end: float
    frames: np.ndarray


def plan_windows(
    track: Track, seconds: np.ndarray, clip_len: int, window: float, stride: float
) -> list[Window]:
    """Divide a track into windows, from its first frame to its last.

    Windows are defined in seconds: the frames of a clip are those nearest to
    ``clip_len`` evenly spaced times, at any frame rate, also a variable one. The last
    window ends with the track; a track shorter than a window is one window.

    Args:
        track: A track without gaps.
        seconds: Time of every frame of the video, ``(F,)``.
        clip_len: Frames of a clip, T.
        window: Time from the first to the last frame of a clip, in seconds.
        stride: Time from one window to the next, in seconds.
    """
    times = seconds[track.frames]
    first, last = float(times[0]), float(times[-1])
    room = max(last - first - window, 0.0)
    starts = first + np.arange(0, room + 1e-6, stride)
    if room - (starts[-1] - first) > stride / 10:
        starts = np.append(starts, first + room)
    windows = []
    for start in starts:
        end = min(start + window, last)
        frames = track.frames[nearest_frames(times, start, end, clip_len)]
        windows.append(Window(track, float(start), float(end), frames))
    return windows


def nearest_frames(
    times: np.ndarray, start: float, end: float, clip_len: int
) -> np.ndarray:
    """Return the frames ``(T,)`` that are nearest to evenly spaced times.

    Args:
        times: Times of the frames, ``(F,)``, in seconds, ascending.
        start: The first of the evenly spaced times.
        end: The last of them.
        clip_len: Their number, T.
    """
    between = (times[1:] + times[:-1]) / 2  # halfway between consecutive frames
    moments = np.linspace(start, end, clip_len)
    # A time halfway between two frames selects the earlier one.
    return np.searchsorted(between, moments, side='left')


def cut_clips(
    frames: Iterable[Frame],
    windows: Iterable[Window],
    crop: str | None,
    size: int,
) -> Iterator[tuple[Window, list[np.ndarray]]]:
    """Yield each window with its face crops, as soon as its last frame has been read.

    Face crops are ``(size, size, 3)`` uint8 RGB. Only those of windows in progress are
    held: memory does not grow with the length of the video.

    Args:
        frames: Frames of the video, read once.
        windows: Windows of all tracks.
        crop: ``'square'`` or ``'align'``; None uses the whole frames.
        size: Width and height of the face crops, in pixels.
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
                # Copies, as frames may be repeated and transforms may modify them.
                yield window, [faces[k].copy() for k in window.frames]
        opened = [pair for pair in opened if pair[0].frames[-1] > i]
        if not opened and not waiting:
            return


def smooth_windows(
    probabilities: np.ndarray, moments: np.ndarray, sigma: float
) -> np.ndarray:
    """Smooth the probabilities ``(n, K)`` of windows over time.

    Args:
        probabilities: Probabilities of the windows, in order of time; the result also
            sums to one per row.
        moments: Middles of the windows, ``(n,)``, in seconds, ascending. The weight of
            a window is the time that it is nearest to, so a window close to the next
            (the last of a track) has a lower weight.
        sigma: Standard deviation of the Gaussian, in seconds; 0 disables it.
    """
    if sigma <= 0 or len(moments) < 2:
        return probabilities
    gaps = np.diff(moments)
    gaps = np.concatenate([[np.median(gaps)], gaps, [np.median(gaps)]])
    duration = (gaps[1:] + gaps[:-1]) / 2
    first = np.searchsorted(moments, moments - 4 * sigma, side='left')
    last = np.searchsorted(moments, moments + 4 * sigma, side='right')
    smooth = np.empty_like(probabilities)
    for i, (a, b) in enumerate(zip(first, last, strict=True)):
        distance = (moments[a:b] - moments[i]) / sigma
        weight = duration[a:b] * np.exp(-(distance**2) / 2)
        smooth[i] = weight @ probabilities[a:b] / weight.sum()
    return smooth


def _cut(
    image: np.ndarray, track: Track, frame: int, crop: str | None, size: int
) -> np.ndarray:
    if crop is None:
        return image
    row = frame - int(track.frames[0])
    return crop_face(image, track.boxes[row], track.landmarks[row], crop, size)


class ClipPipeline:
    """Applies the test pipeline of a config to the frames of a clip.

    A test pipeline samples frames, decodes them and transforms the images. Here the
    frames are already sampled and decoded: only the transforms after the last one that
    decodes are used.

    Args:
        cfg: Config with ``test_dataloader.dataset.pipeline``.

    Attributes:
        clip_len: Frames of a clip, T.

    Raises:
        InputError: If the config has no such pipeline, or the pipeline has no
            ``clip_len`` or no transform that decodes.
    """

    def __init__(self, cfg: Config) -> None:
        init_default_scope(cfg.get('default_scope', 'mmaction'))
        dataset = cfg.get('test_dataloader', {}).get('dataset', {})
        transforms = list(dataset.get('pipeline') or ())
        lengths = [t['clip_len'] for t in transforms if 'clip_len' in t]
        decoders = [i for i, t in enumerate(transforms) if _decodes(str(t['type']))]
        if not lengths or not decoders:
            raise InputError(
                f'test_dataloader.dataset.pipeline={[t["type"] for t in transforms]} '
                'needs a transform with clip_len, and one that decodes frames '
                '(LoadFrames, ...Decode)'
            )
        self.clip_len = int(lengths[0])
        self._transforms = Compose(transforms[decoders[-1] + 1 :])

    def __call__(self, frames: Sequence[np.ndarray]) -> Tensor:
        """Transform T frames ``(H, W, 3)`` uint8 RGB to a clip; see Predictor."""
        results = dict(
            imgs=list(frames),
            original_shape=frames[0].shape[:2],
            img_shape=frames[0].shape[:2],
            clip_len=self.clip_len,
            num_clips=1,
            frame_interval=1,
            modality='RGB',
        )
        return self._transforms(results)['inputs']


def _decodes(transform: str) -> bool:
    return transform.endswith('Decode') or transform.rsplit('.')[-1] == 'LoadFrames'
