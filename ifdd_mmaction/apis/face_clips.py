"""From a video to clips of its faces: scan, windows, test pipeline."""

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


class ClipPipeline:
    """Turns the frames of a clip into what the model gets in testing.

    A test pipeline samples frames, decodes them, and works on the images. Frames of a
    video at hand are sampled and decoded already: the transforms after the last one
    that decodes are taken from the config, as they are.

    Args:
        cfg: Config with ``test_dataloader.dataset.pipeline``.

    Attributes:
        clip_len: Frames of a clip, T.

    Raises:
        InputError: If the config has no such pipeline, or none that says how long a
            clip is.
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
                'has no transform with clip_len, or none that decodes frames '
                '(LoadFrames, ...Decode)'
            )
        self.clip_len = int(lengths[0])
        self._transforms = Compose(transforms[decoders[-1] + 1 :])

    def __call__(self, frames: Sequence[np.ndarray]) -> Tensor:
        """Return the clip of T frames ``(H, W, 3)`` uint8 RGB; see Predictor."""
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
