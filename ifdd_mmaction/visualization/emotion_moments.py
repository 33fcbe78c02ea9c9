"""A contact sheet of the moments in which the most emotion shows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import matplotlib
import numpy as np
from matplotlib.figure import Figure

from .emotion_colours import emotion_colours
from .emotion_timeline import FaceEmotions
from .style import GREY, STYLE

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
