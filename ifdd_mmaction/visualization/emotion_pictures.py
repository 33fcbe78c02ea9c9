"""Emotions over time in pictures: the timeline and the strongest moments."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from .style import GREY, STYLE, emotion_colours

# Inches.
WIDTH, PANEL = 9.0, 2.1
#: The strip of the top emotion, in the units of the probabilities above it.
STRIP = -0.17, -0.05


class FaceEmotions(NamedTuple):
    """The emotions of one face over time.

    Attributes:
        name: What to call the face.
        start: Seconds from which it is seen.
        end: Seconds until which it is seen.
        middles: Times of ``n`` predictions, rising.
        probabilities: ``(n, K)``.
    """

    name: str
    start: float
    end: float
    middles: np.ndarray
    probabilities: np.ndarray

    def at(self, seconds: float | np.ndarray) -> np.ndarray:
        """Return the probabilities ``(..., K)`` at times, linear between predictions.

        Before the first and after the last prediction they stay as they are there.
        """
        columns = [np.interp(seconds, self.middles, p) for p in self.probabilities.T]
        return np.stack(columns, axis=-1)


def longest(faces: Sequence[FaceEmotions], count: int) -> list[FaceEmotions]:
    """Return the faces that are seen longest, ``count`` at most, in their order."""
    order = sorted(range(len(faces)), key=lambda i: faces[i].start - faces[i].end)
    return [faces[i] for i in sorted(order[:count])]


@matplotlib.rc_context(STYLE)
def plot_emotion_timeline(
    faces: Sequence[FaceEmotions], classes: Sequence[str], seconds: float
) -> Figure:
    """Draw a panel for each face: a line for each class, below it the top emotion.

    Where a face is not seen, nothing is drawn.

    Args:
        faces: At least one.
        classes: ``K`` names.
        seconds: Length of the video; all panels are as long.

    Raises:
        ValueError: If there is no face.
    """
    if not faces:
        raise ValueError(f'faces={list(faces)}: there is none to draw')
    colours = emotion_colours(classes)
    height = PANEL * len(faces) + 0.75
    figure = Figure(figsize=(WIDTH, height), layout='constrained')
    panels = figure.subplots(len(faces), 1, squeeze=False, sharex=True).ravel()
    for axes, face in zip(panels, faces, strict=True):
        _draw_face(axes, face, colours)
        axes.set_xlim(0, max(seconds, 1e-3))
    panels[-1].set_xlabel('seconds')
    handles = panels[0].get_lines()[: len(classes)]
    figure.legend(
        handles, classes, loc='outside upper center', ncols=min(len(classes), 7)
    )
    return figure


def _draw_face(axes: Axes, face: FaceEmotions, colours: Sequence[str]) -> None:
    # One prediction is a constant, not a point that nobody sees.
    edges = [face.start, *face.middles, face.end]
    times = np.unique(np.clip(edges, face.start, face.end))
    for share, colour in zip(face.at(times).T, colours, strict=True):
        axes.plot(times, share, color=colour, linewidth=1.6)
    grid = np.linspace(face.start, face.end, 400)
    best = face.at((grid[1:] + grid[:-1]) / 2).argmax(axis=-1)
    # Runs of the same emotion become one bar.
    changes = np.flatnonzero(np.diff(best)) + 1
    lefts, rights = [0, *changes], [*changes, len(best)]
    low, high = STRIP
    for left, right in zip(lefts, rights, strict=True):
        axes.fill_between(
            [grid[left], grid[right]], low, high, color=colours[best[left]], lw=0
        )
    axes.axhline(0, color=GREY, linewidth=0.5)
    axes.set_ylim(low - 0.03, 1.02)
    middle = (low + high) / 2
    axes.set_yticks([1, 0.5, 0, middle], ['100 %', '50 %', '0 %', 'top'])
    axes.spines['bottom'].set_visible(False)
    axes.set_title(face.name, loc='left', pad=3)


COLUMNS = 6
CELL = 1.5, 1.95  # inches


class Moment(NamedTuple):
    """A face at a time.

    Attributes:
        face: Position of the face among those given.
        seconds: The time.
        emotion: Index of the class.
        probability: Of that class.
    """

    face: int
    seconds: float
    emotion: int
    probability: float


def choose_moments(
    faces: Sequence[FaceEmotions],
    classes: Sequence[str],
    count: int = 12,
    apart: float = 1.0,
) -> list[Moment]:
    """Choose the moments of the highest probability of an emotion that is not neutral.

    Moments that are more neutral than anything else count only if all are.

    Args:
        faces: The faces.
        classes: ``K`` names; one that begins with "neutral" is no emotion here.
        count: Moments at most.
        apart: Least distance of two moments of one face, in seconds.

    Returns:
        In order of time.
    """
    shown = [i for i, n in enumerate(classes) if not n.casefold().startswith('neutral')]
    if not shown:
        return []
    moments: list[Moment] = []
    emotional: list[Moment] = []
    for number, face in enumerate(faces):
        shares = face.probabilities[:, shown]
        best = shares.argmax(axis=1)
        for i, k in enumerate(best):
            time = float(face.middles[i])
            moments.append(Moment(number, time, shown[k], float(shares[i, k])))
            if face.probabilities[i].argmax() in shown:
                emotional.append(moments[-1])
    chosen: list[Moment] = []
    for moment in sorted(emotional or moments, key=lambda m: -m.probability):
        near = (
            m.face == moment.face and abs(m.seconds - moment.seconds) < apart
            for m in chosen
        )
        if len(chosen) < count and not any(near):
            chosen.append(moment)
    return sorted(chosen, key=lambda m: (m.seconds, m.face))


@matplotlib.rc_context(STYLE)
def plot_emotion_moments(
    moments: Sequence[Moment],
    images: Sequence[np.ndarray],
    names: Sequence[str],
    classes: Sequence[str],
) -> Figure:
    """Draw the faces of moments, with their time and emotion.

    Args:
        moments: At least one.
        images: The face of each, ``(H, W, 3)`` uint8 RGB.
        names: Of the faces.
        classes: ``K`` names.

    Raises:
        ValueError: If there is no moment.
    """
    if not moments:
        raise ValueError(f'moments={list(moments)}: there is none to draw')
    colours = emotion_colours(classes)
    columns = min(COLUMNS, len(moments))
    rows = -(-len(moments) // columns)
    width, height = CELL
    figure = Figure(figsize=(columns * width, rows * height), layout='constrained')
    panels = figure.subplots(rows, columns, squeeze=False).ravel()
    for axes in panels:
        axes.set_axis_off()
    for axes, moment, image in zip(panels, moments, images, strict=False):
        axes.imshow(image)
        axes.set_title(
            f'{classes[moment.emotion]} {moment.probability:.0%}',
            color=colours[moment.emotion],
            weight='bold',
            size=9,
            pad=3,
        )
        axes.text(
            0.5,
            -0.03,
            f'{moment.seconds:.1f} s, {names[moment.face]}',
            transform=axes.transAxes,
            ha='center',
            va='top',
            color=GREY,
            size=8,
        )
    return figure
