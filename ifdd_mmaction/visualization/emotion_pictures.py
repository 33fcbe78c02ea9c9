"""Figures of expressions over time: the timeline and the strongest moments."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import matplotlib
import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from .style import GRAY, PALE, STYLE, emotion_colors

# Inches.
WIDTH, PANEL = 9.0, 2.1
#: Vertical range of the bar of the top expression, on the axis of the probabilities.
STRIP = -0.17, -0.05
#: In place of a class whose probability is too low to name it, and its color.
NOT_SURE, UNSURE = 'not sure', PALE


class FaceEmotions(NamedTuple):
    """The expressions of one face over time.

    Attributes:
        name: Name of the face.
        start: Time of the first frame with the face, in seconds.
        end: Time of the last frame with the face, in seconds.
        middles: Times of ``n`` predictions in seconds, ascending.
        probabilities: ``(n, K)``.
    """

    name: str
    start: float
    end: float
    middles: np.ndarray
    probabilities: np.ndarray

    def at(self, seconds: float | np.ndarray) -> np.ndarray:
        """Return the probabilities ``(..., K)`` at times, linearly interpolated.

        Before the first and after the last prediction they are constant.
        """
        columns = [np.interp(seconds, self.middles, p) for p in self.probabilities.T]
        return np.stack(columns, axis=-1)


def longest(faces: Sequence[FaceEmotions], count: int) -> list[FaceEmotions]:
    """Return the at most ``count`` faces of longest duration, in the given order."""
    order = sorted(range(len(faces)), key=lambda i: faces[i].start - faces[i].end)
    return [faces[i] for i in sorted(order[:count])]


@matplotlib.rc_context(STYLE)
def plot_emotion_timeline(
    faces: Sequence[FaceEmotions],
    classes: Sequence[str],
    seconds: float,
    abstain_below: float = 0.0,
) -> Figure:
    """Draw one panel per face: a line per class, and below it the top expression.

    Nothing is drawn while a face is not visible.

    Args:
        faces: At least one face.
        classes: ``K`` class names.
        seconds: Duration of the video, the x range of all panels.
        abstain_below: Where the top expression is less probable, it is "not sure".

    Raises:
        ValueError: If ``faces`` is empty.
    """
    if not faces:
        raise ValueError(f'faces={list(faces)}: must not be empty')
    colors = emotion_colors(classes)
    height = PANEL * len(faces) + 0.75
    figure = Figure(figsize=(WIDTH, height), layout='constrained')
    panels = figure.subplots(len(faces), 1, squeeze=False, sharex=True).ravel()
    for axes, face in zip(panels, faces, strict=True):
        _draw_face(axes, face, colors, abstain_below)
        axes.set_xlim(0, max(seconds, 1e-3))
    panels[-1].set_xlabel('seconds')
    handles: list[Artist] = list(panels[0].get_lines()[: len(classes)])
    names = list(classes)
    if abstain_below > 0:
        handles.append(Patch(color=UNSURE))
        names.append(f'{NOT_SURE} (below {abstain_below:.0%})')
    columns = min(len(classes), 7) + len(names) - len(classes)
    figure.legend(handles, names, loc='outside upper center', ncols=columns)
    return figure


def _draw_face(
    axes: Axes, face: FaceEmotions, colors: Sequence[str], abstain_below: float
) -> None:
    # A single prediction is drawn as a horizontal line, not as a point.
    edges = [face.start, *face.middles, face.end]
    times = np.unique(np.clip(edges, face.start, face.end))
    for share, color in zip(face.at(times).T, colors, strict=True):
        axes.plot(times, share, color=color, linewidth=1.6)
    grid = np.linspace(face.start, face.end, 400)
    shares = face.at((grid[1:] + grid[:-1]) / 2)
    best = np.where(shares.max(axis=-1) < abstain_below, -1, shares.argmax(axis=-1))
    # Consecutive times of the same expression are one bar.
    changes = np.flatnonzero(np.diff(best)) + 1
    lefts, rights = [0, *changes], [*changes, len(best)]
    low, high = STRIP
    for left, right in zip(lefts, rights, strict=True):
        axes.fill_between(
            [grid[left], grid[right]], low, high, lw=0,
            color=UNSURE if best[left] < 0 else colors[best[left]],
        )  # fmt: skip
    axes.axhline(0, color=GRAY, linewidth=0.5)
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
        face: Index of the face.
        seconds: The time, in seconds.
        expression: Index of the class.
        probability: Probability of that class.
    """

    face: int
    seconds: float
    expression: int
    probability: float


def choose_moments(
    faces: Sequence[FaceEmotions],
    classes: Sequence[str],
    count: int = 12,
    apart: float = 1.0,
) -> list[Moment]:
    """Choose the moments with the highest probability of a class other than neutral.

    Moments whose top class is neutral are used only if there are no others.

    Args:
        faces: The faces.
        classes: ``K`` class names; neutral is the one that begins with "neutral".
        count: Maximum number of moments.
        apart: Minimum time between two moments of one face, in seconds.

    Returns:
        The moments in order of time.
    """
    shown = [i for i, n in enumerate(classes) if not n.casefold().startswith('neutral')]
    if not shown:
        return []
    moments: list[Moment] = []
    expressive: list[Moment] = []
    for number, face in enumerate(faces):
        shares = face.probabilities[:, shown]
        best = shares.argmax(axis=1)
        for i, k in enumerate(best):
            time = float(face.middles[i])
            moments.append(Moment(number, time, shown[k], float(shares[i, k])))
            if face.probabilities[i].argmax() in shown:
                expressive.append(moments[-1])
    chosen: list[Moment] = []
    for moment in sorted(expressive or moments, key=lambda m: -m.probability):
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
    """Draw the faces of moments, with time and expression.

    Args:
        moments: At least one moment.
        images: Face image of each moment, ``(H, W, 3)`` uint8 RGB.
        names: Names of the faces.
        classes: ``K`` class names.

    Raises:
        ValueError: If ``moments`` is empty.
    """
    if not moments:
        raise ValueError(f'moments={list(moments)}: must not be empty')
    colors = emotion_colors(classes)
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
            f'{classes[moment.expression]} {moment.probability:.0%}',
            color=colors[moment.expression],
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
            color=GRAY,
            size=8,
        )
    return figure
