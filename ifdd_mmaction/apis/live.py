"""Expressions of the faces of a live video, from a rolling window over each."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import torch

from ..faces import LiveTrack, LiveTracker, crop_face
from ..video import Frame
from .inferencer import DFERInferencer
from .live_window import LivePrediction, LiveWindow

#: Maximum number of faces that are predicted at the same time, the first that appeared:
#: each holds the crops of its window, 10 MB of 224 pixels.
MAX_FACES = 8


@dataclass(frozen=True)
class LiveFace:
    """A visible face of a frame.

    Attributes:
        track: Number of its track, from 1.
        box: Left, top, right, bottom in pixels, ``(4,)``.
        probabilities: The last smoothed ones, ``(K,)``; None before the first.
    """

    track: int
    box: np.ndarray
    probabilities: np.ndarray | None


class LiveRecognizer:
    """Predict the expressions of the faces of a live video, frame by frame.

    Faces are tracked (:class:`LiveTracker`); of each, the crops of the last ``window``
    seconds are held. Every ``stride`` seconds these are predicted in a thread, all
    faces in a batch, while frames go on; the next batch waits for the one before, so
    nothing queues up. Probabilities are smoothed by an average whose weights fall
    exponentially with age, with the time constant ``smooth``.

    Args:
        inferencer: Its model, detector and settings are used.

    Example:
        >>> from ifdd_mmaction.apis import DFERInferencer, LiveRecognizer
        >>> from ifdd_mmaction.video import LiveVideo
        >>> inferencer = DFERInferencer(
        ...     'ifdd_vit_sample', detector='none', window=0.2, show_progress=False
        ... )
        >>> with LiveVideo('anna.mp4') as video, LiveRecognizer(inferencer) as live:
        ...     for frame in video:
        ...         if frame is not None:
        ...             faces = live(frame)
        >>> len(faces), faces[0].track, faces[0].box.tolist()
        (1, 1, [0.0, 0.0, 64.0, 48.0])
    """

    def __init__(self, inferencer: DFERInferencer) -> None:
        settings = inferencer.settings
        self.classes = inferencer.classes
        self._pipeline, self._model = inferencer.pipeline, inferencer.model
        self._crop, self._size = settings['crop'], settings['crop_size']
        self._window, self._stride = settings['window'], settings['stride']
        self._smooth = settings['smooth']
        self._tracker = LiveTracker(
            inferencer.detector, settings['detect_every'], settings['max_gap']
        )
        self._windows: dict[int, LiveWindow] = {}
        self._executor = ThreadPoolExecutor(1, thread_name_prefix='predicting')
        self._pending: Future[np.ndarray] | None = None
        self._asked: list[tuple[int, float]] = []
        self._due = -np.inf
        self._new: list[LivePrediction] = []

    def __enter__(self) -> LiveRecognizer:
        return self

    def __exit__(self, *_: object) -> None:
        """Wait for the last prediction."""
        self._executor.shutdown(wait=True, cancel_futures=True)

    def __call__(self, frame: Frame) -> list[LiveFace]:
        """Return the faces of the next frame, with the last known probabilities."""
        tracks = self._tracker(frame)
        self._hold_crops(frame, tracks)
        self._collect()
        if self._pending is None and frame.seconds >= self._due:
            self._ask(frame.seconds, tracks)
        return [
            LiveFace(track.id, track.smooth_box.copy(), self._known(track.id))
            for track in tracks
        ]

    def finish(self) -> list[LivePrediction]:
        """Wait for the prediction that is being made; see :meth:`take`."""
        self._collect(wait=True)
        return self.take()

    def take(self) -> list[LivePrediction]:
        """Return the predictions that were made since the last call."""
        taken, self._new = self._new, []
        return taken

    @property
    def held(self) -> int:
        """Number of crops that are held."""
        return sum(len(window.crops) for window in self._windows.values())

    def _known(self, track: int) -> np.ndarray | None:
        window = self._windows.get(track)
        return None if window is None or window.last is None else window.last.smoothed

    def _hold_crops(self, frame: Frame, tracks: Sequence[LiveTrack]) -> None:
        active = self._tracker.active
        self._windows = {k: w for k, w in self._windows.items() if k in active}
        for track in tracks:
            if track.id not in self._windows:
                if len(self._windows) == MAX_FACES:
                    continue
                self._windows[track.id] = LiveWindow(
                    self._window, self._pipeline.clip_len
                )
            crop = frame.image
            if self._crop is not None:
                crop = crop_face(
                    crop, track.smooth_box, track.smooth_landmarks, self._crop,
                    self._size,
                )  # fmt: skip
            self._windows[track.id].add(frame.seconds, crop)

    def _ask(self, now: float, tracks: Sequence[LiveTrack]) -> None:
        clips = []
        self._asked = []
        for track in tracks:
            if track.id in self._windows:
                window = self._windows[track.id]
                clip = window.clip(now)
                if clip is not None:
                    clips.append(clip)
                    self._asked.append((track.id, now))
        if clips:
            self._due = now + self._stride
            self._pending = self._executor.submit(self._predict, clips)

    def _predict(self, clips: list[list[np.ndarray]]) -> np.ndarray:
        # Copies, as frames may be repeated and transforms may modify them.
        packed = [self._pipeline([crop.copy() for crop in clip]) for clip in clips]
        return self._model(torch.stack(packed))

    def _collect(self, wait: bool = False) -> None:
        if self._pending is None or not (wait or self._pending.done()):
            return
        predicted, self._pending = self._pending.result(), None
        for (track, seconds), raw in zip(self._asked, predicted, strict=True):
            window = self._windows.get(track)
            last = None if window is None else window.last
            smoothed = raw
            if last is not None and self._smooth > 0:
                share = 1 - np.exp(-(seconds - last.seconds) / self._smooth)
                smoothed = last.smoothed + share * (raw - last.smoothed)
            prediction = LivePrediction(track, seconds, raw, smoothed)
            if window is not None:
                window.last = prediction
            self._new.append(prediction)
