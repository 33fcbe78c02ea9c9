"""Results of inference on a video, and the files written from them."""

from __future__ import annotations

import csv
import io
import json
import os
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ..deprecations import warn_of_method
from ..faces import crop_square
from ..fileio import write_atomic
from ..version import __version__
from ..video import Video, VideoWriter
from ..visualization.annotate import FrameAnnotator
from ..visualization.emotion_pictures import (
    NOT_SURE,
    FaceEmotions,
    choose_moments,
    longest,
    plot_emotion_moments,
    plot_emotion_timeline,
)
from ..visualization.style import save_figure
from .face_clips import Progress, iterate

#: Number of decimals in files, for seconds, probabilities and pixels.
SECONDS, SHARES, PIXELS = 3, 5, 1


@dataclass(frozen=True)
class WindowResult:
    """The expressions of one face in one window of time.

    Attributes:
        start: Time of the first frame, in seconds.
        end: Time of the last frame, in seconds.
        probabilities: Predicted probabilities of the ``K`` classes.
        smoothed: Probabilities smoothed over the windows of the track.
    """

    start: float
    end: float
    probabilities: tuple[float, ...]
    smoothed: tuple[float, ...]

    @property
    def middle(self) -> float:
        """The middle of the window, in seconds."""
        return (self.start + self.end) / 2


@dataclass(frozen=True)
class TrackResult:
    """The expressions of one face over time.

    Attributes:
        id: Number of the track, from 1.
        start: Time of the first frame with this face, in seconds.
        end: Time of the last frame with this face, in seconds.
        frames: Indexes of the frames of the track.
        boxes: Left, top, right, bottom in pixels, one per frame.
        windows: Windows in order of time, at least one.
    """

    id: int
    start: float
    end: float
    frames: list[int]
    boxes: list[tuple[float, ...]]
    windows: list[WindowResult]

    @property
    def middles(self) -> np.ndarray:
        """Times of the windows, ``(n,)``."""
        return np.array([window.middle for window in self.windows])

    @property
    def smoothed(self) -> np.ndarray:
        """Smoothed probabilities of the windows, ``(n, K)``."""
        return np.array([window.smoothed for window in self.windows])


@dataclass(frozen=True)
class VideoResult:
    """The expressions of all faces of a video.

    Attributes:
        video: Path of the video.
        classes: ``K`` class names.
        frames: Number of frames.
        seconds: Time of the last frame.
        width: Width of the frames that boxes refer to, in pixels, after downscaling.
        height: Height of these frames, in pixels.
        tracks: Tracks in order of appearance, at least one.
        settings: Settings of the inferencer, and statistics.
    """

    video: str
    classes: tuple[str, ...]
    frames: int
    seconds: float
    width: int
    height: int
    tracks: list[TrackResult]
    settings: dict[str, Any]

    @property
    def abstain_below(self) -> float:
        """Probability below which a class is not named; 0 names one always."""
        return float(self.settings.get('abstain_below') or 0)

    def expression(self, probabilities: Sequence[float] | np.ndarray) -> str:
        """Return the class of the largest of ``(K,)`` probabilities, or "not sure".

        It is the expression that is displayed, not what the person feels.
        """
        best = int(np.argmax(probabilities))
        sure = probabilities[best] >= self.abstain_below
        return self.classes[best] if sure else NOT_SURE

    def emotion(self, probabilities: Sequence[float] | np.ndarray) -> str:
        """Former name of :meth:`expression`, of ``(K,)`` probabilities."""
        warn_of_method('VideoResult.emotion')
        return self.expression(probabilities)

    def to_dict(self) -> dict[str, Any]:
        """Return the result as numbers, strings, lists and dicts."""
        data = asdict(self)
        data['made_by'] = f'ifdd_mmaction {__version__}'
        for track in data['tracks']:
            for key in ('start', 'end'):
                track[key] = round(track[key], SECONDS)
            track['boxes'] = [_rounded(box, PIXELS) for box in track['boxes']]
            for window in track['windows']:
                # Of the unrounded ones, as in the CSV file.
                window['expression'] = self.expression(window['smoothed'])
                window['emotion'] = window['expression']  # its former name
                for key in ('start', 'end'):
                    window[key] = round(window[key], SECONDS)
                for key in ('probabilities', 'smoothed'):
                    window[key] = _rounded(window[key], SHARES)
        data['classes'] = list(self.classes)
        data['seconds'] = round(self.seconds, SECONDS)
        return data

    def write_json(self, path: str | os.PathLike) -> None:
        """Write the result to a JSON file."""
        write_atomic(path, json.dumps(self.to_dict(), indent=1).encode())

    def write_csv(self, path: str | os.PathLike) -> None:
        """Write a CSV file with one row per window of each track.

        Columns: ``video, track, start, end, expression`` and the smoothed
        probability of each class.
        """
        text = io.StringIO()
        table = csv.writer(text, lineterminator='\n')
        table.writerow(['video', 'track', 'start', 'end', 'expression', *self.classes])
        for track in self.tracks:
            for window in track.windows:
                table.writerow(
                    [
                        self.video,
                        track.id,
                        round(window.start, SECONDS),
                        round(window.end, SECONDS),
                        self.expression(window.smoothed),
                        *_rounded(window.smoothed, SHARES),
                    ]
                )
        write_atomic(path, text.getvalue().encode())

    def summary(self) -> str:
        """Return one line per track: time, and the top three mean probabilities.

        If one of the windows is below ``abstain_below``, the number of these, too.
        """
        lines = []
        for track in self.tracks:
            mean = track.smoothed.mean(axis=0)
            best = np.argsort(-mean)[:3]
            shares = ', '.join(f'{self.classes[i]} {mean[i]:.0%}' for i in best)
            unsure = int((track.smoothed.max(axis=1) < self.abstain_below).sum())
            lines.append(
                f'  face {track.id}: {track.start:.1f} to {track.end:.1f} s, '
                f'{len(track.windows)} windows: {shares}'
                + (f', {NOT_SURE} in {unsure} windows' if unsure else '')
            )
        return '\n'.join(lines)


def _rounded(values: Any, digits: int) -> list[float]:
    return [round(float(value), digits) for value in values]


#: Maximum number of panels of the timeline, of the faces of longest duration.
MAX_PANELS = 8


def face_emotions(result: VideoResult) -> list[FaceEmotions]:
    """Return the smoothed expressions of each track, for figures."""
    return [
        FaceEmotions(f'face {t.id}', t.start, t.end, t.middles, t.smoothed)
        for t in result.tracks
    ]


def show_result(
    video: Video,
    result: VideoResult,
    folder: Path,
    *,
    timeline: bool = True,
    moments: bool = True,
    annotated: bool = True,
    progress: Progress | None = None,
) -> dict[str, Path]:
    """Write figures and an annotated video of a result to a folder.

    Args:
        video: The video of the result.
        result: The result.
        folder: Output folder; it is created if missing.
        timeline: Whether to write ``timeline.png``, the probabilities over time.
        moments: Whether to write ``moments.png``, the moments of the highest
            probabilities.
        annotated: Whether to write ``annotated.mp4``; see :class:`VideoWriter`.
        progress: Wraps the frames in a progress bar.

    Returns:
        The files by name: ``timeline``, ``moments``, ``annotated``.
    """
    faces = face_emotions(result)
    files: dict[str, Path] = {}
    if timeline:
        panels = longest(faces, MAX_PANELS)
        files['timeline'] = folder / 'timeline.png'
        figure = plot_emotion_timeline(
            panels, result.classes, result.seconds, result.abstain_below
        )
        save_figure(figure, files['timeline'], dpi=120)
    if annotated or moments:
        files |= _read_again(video, result, faces, folder, moments, annotated, progress)
    return files


def _read_again(
    video: Video,
    result: VideoResult,
    faces: list[FaceEmotions],
    folder: Path,
    moments: bool,
    annotated: bool,
    progress: Progress | None,
) -> dict[str, Path]:
    """Read the video once, for the frames of moments and of the annotated video."""
    files: dict[str, Path] = {}
    chosen = choose_moments(faces, result.classes) if moments else []
    chosen = [m for m in chosen if m.probability >= result.abstain_below]
    images: dict[int, np.ndarray] = {}
    rows = [
        {frame: np.array(box) for frame, box in zip(t.frames, t.boxes, strict=True)}
        for t in result.tracks
    ]
    annotator = FrameAnnotator(
        faces,
        result.classes,
        result.seconds,
        (result.width, result.height),
        result.abstain_below,
    )
    fps = (result.frames - 1) / max(result.seconds, 1e-9)
    with ExitStack() as stack:
        if annotated:
            files['annotated'] = folder / 'annotated.mp4'
            writer = stack.enter_context(
                VideoWriter(files['annotated'], annotator.size, fps)
            )
        for frame in iterate(video, 'drawing', progress):
            boxes = [row.get(frame.index) for row in rows]
            for number, moment in enumerate(chosen):
                box = boxes[moment.face]
                # The first frame at or after the moment that has the face.
                late = frame.seconds >= moment.seconds - 1e-6
                if late and number not in images and box is not None:
                    images[number] = crop_square(frame.image, box)
            if annotated:
                drawn = annotator(frame.image, frame.seconds, boxes)
                writer.write(drawn, frame.seconds)
            elif len(images) == len(chosen):
                break
    if shown := sorted(images):
        files['moments'] = folder / 'moments.png'
        figure = plot_emotion_moments(
            [chosen[i] for i in shown],
            [images[i] for i in shown],
            [face.name for face in faces],
            result.classes,
        )
        save_figure(figure, files['moments'], dpi=120)
    return files
