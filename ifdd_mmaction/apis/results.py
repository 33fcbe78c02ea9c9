"""What is found in a video, and its way into files."""

from __future__ import annotations

import csv
import io
import json
import os
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from ..fileio import write_atomic
from ..version import __version__

#: Decimals in files: of seconds, of probabilities, of pixels.
SECONDS, SHARES, PIXELS = 3, 5, 1


@dataclass(frozen=True)
class WindowResult:
    """The emotions of one face in one window of time.

    Attributes:
        start: Time of the first frame, in seconds.
        end: Time of the last frame.
        probabilities: Of the ``K`` classes, as predicted.
        smoothed: The same, averaged with the neighbouring windows of the track.
    """

    start: float
    end: float
    probabilities: tuple[float, ...]
    smoothed: tuple[float, ...]

    @property
    def middle(self) -> float:
        """The time that the window stands for."""
        return (self.start + self.end) / 2


@dataclass(frozen=True)
class TrackResult:
    """One face over time.

    Attributes:
        id: Number of the track, from 1.
        start: Time of the first frame with this face, in seconds.
        end: Time of the last one.
        frames: The frames in between, ``n`` indexes.
        boxes: Left, top, right, bottom in pixels, one for each frame.
        windows: In order of time, at least one.
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
    """The emotions of everybody in a video.

    Attributes:
        video: Its path.
        classes: ``K`` names.
        frames: Number of frames.
        seconds: Time of the last frame.
        width: Of the frames that boxes refer to, in pixels: large ones are shrunk.
        height: The same.
        tracks: In the order of appearance, at least one.
        settings: How the result was made.
    """

    video: str
    classes: tuple[str, ...]
    frames: int
    seconds: float
    width: int
    height: int
    tracks: list[TrackResult]
    settings: dict[str, Any]

    def to_dict(self) -> dict[str, Any]:
        """Return numbers, texts, lists and dicts alone."""
        data = asdict(self)
        data['made_by'] = f'ifdd_mmaction {__version__}'
        for track in data['tracks']:
            for key in ('start', 'end'):
                track[key] = round(track[key], SECONDS)
            track['boxes'] = [_rounded(box, PIXELS) for box in track['boxes']]
            for window in track['windows']:
                for key in ('start', 'end'):
                    window[key] = round(window[key], SECONDS)
                for key in ('probabilities', 'smoothed'):
                    window[key] = _rounded(window[key], SHARES)
                best = int(np.argmax(window['smoothed']))
                window['emotion'] = self.classes[best]
        data['classes'] = list(self.classes)
        data['seconds'] = round(self.seconds, SECONDS)
        return data

    def write_json(self, path: str | os.PathLike) -> None:
        """Write all of it."""
        write_atomic(path, json.dumps(self.to_dict(), indent=1).encode())

    def write_csv(self, path: str | os.PathLike) -> None:
        """Write a table: a row for each window of each track, smoothed probabilities.

        Columns: ``video, track, start, end, emotion`` and the classes.
        """
        text = io.StringIO()
        table = csv.writer(text, lineterminator='\n')
        table.writerow(['video', 'track', 'start', 'end', 'emotion', *self.classes])
        for track in self.tracks:
            for window in track.windows:
                table.writerow(
                    [
                        self.video,
                        track.id,
                        round(window.start, SECONDS),
                        round(window.end, SECONDS),
                        self.classes[int(np.argmax(window.smoothed))],
                        *_rounded(window.smoothed, SHARES),
                    ]
                )
        write_atomic(path, text.getvalue().encode())

    def summary(self) -> str:
        """Return a line for each track: when, and its most frequent emotions."""
        lines = []
        for track in self.tracks:
            mean = track.smoothed.mean(axis=0)
            best = np.argsort(-mean)[:3]
            shares = ', '.join(f'{self.classes[i]} {mean[i]:.0%}' for i in best)
            lines.append(
                f'  face {track.id}: {track.start:.1f} to {track.end:.1f} s, '
                f'{len(track.windows)} windows: {shares}'
            )
        return '\n'.join(lines)


def _rounded(values: Any, digits: int) -> list[float]:
    return [round(float(value), digits) for value in values]
