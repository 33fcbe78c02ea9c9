"""Where the split reads a clip, under its frames, and how the frames correlate."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from .style import BLUE, GREY, ORANGE, PALE, STYLE

# Inches.
FRAME, MATRIX = 0.62, 2.05
LEFT, RIGHT, GAP, TOP, BOTTOM = 0.85, 0.6, 0.35, 0.3, 0.12
AXIS, MARKS, CURVE = 0.42, 0.8, 0.42

#: Of the axis, between the two marks of a position.
SPREAD = 0.25
HOLLOW: Any = dict(s=22, facecolors='white', edgecolors=GREY, zorder=2)


class ClipSplit(NamedTuple):
    """A clip to show; positions are in frames of the clip, from 0.

    Attributes:
        title: Put above the frames.
        frames: ``(F, H, W, 3)`` uint8 RGB.
        context: Frames that the context group X_S reads.
        dynamics: Frames that the dynamics group X_D reads.
        regular: The same two of a split into even and odd frames.
        correlation: Of the feature's frames, ``(T, T)``; None where the split does
            without.
        envelope: Intensity of the emotion in each frame, ``(F,)``, 0 to 1, where known.
    """

    title: str
    frames: np.ndarray
    context: Sequence[float] | np.ndarray
    dynamics: Sequence[float] | np.ndarray
    regular: tuple[np.ndarray, np.ndarray]
    correlation: np.ndarray | None = None
    envelope: np.ndarray | None = None


@matplotlib.rc_context(STYLE)
def plot_clip_split(clips: Sequence[ClipSplit]) -> Figure:
    """Draw each clip in a row: frames, where both groups read them, the correlation.

    A line leads from where the regular split would read, a hollow mark, to where this
    one does.
    """
    if not clips:
        raise ValueError(f'clips={list(clips)}: there is no clip to draw')
    count = max(len(clip.frames) for clip in clips)
    strip = FRAME * count
    timed = any(clip.envelope is not None for clip in clips)
    height = FRAME + (CURVE if timed else 0) + MARKS + AXIS
    row = max(height, MATRIX) + TOP + BOTTOM
    width = LEFT + strip + GAP + MATRIX + RIGHT
    total = row * len(clips)
    figure = Figure(figsize=(width, total))

    def add_axes(x: float, y: float, w: float, h: float) -> Axes:
        """Add axes by the place of their upper left corner, in inches."""
        return figure.add_axes((x / width, 1 - (y + h) / total, w / width, h / total))

    for i, clip in enumerate(clips):
        y = i * row + TOP
        figure.text(LEFT / width, 1 - (y - 0.07) / total, clip.title, va='bottom')
        span = FRAME * len(clip.frames)
        images = add_axes(LEFT, y, span, FRAME)
        for f, image in enumerate(clip.frames):
            images.imshow(image, extent=(f - 0.48, f + 0.48, 0, 1), aspect='auto')
        images.set_xlim(-0.5, len(clip.frames) - 0.5)
        images.set_ylim(0, 1)
        images.set_axis_off()
        y += FRAME
        if clip.envelope is not None:
            _draw_envelope(add_axes(LEFT, y + 0.06, span, CURVE - 0.08), clip.envelope)
            y += CURVE
        _draw_marks(add_axes(LEFT, y, span, MARKS), clip)
        if clip.correlation is not None:
            x = LEFT + strip + GAP
            side = MATRIX - 0.3
            axes = add_axes(x, i * row + TOP, side, side)
            _draw_matrix(figure, axes, clip.correlation)
    return figure


def _draw_envelope(axes: Axes, envelope: np.ndarray) -> None:
    frames = np.arange(len(envelope))
    axes.fill_between(frames, envelope, color=PALE, alpha=0.6, linewidth=0)
    axes.plot(frames, envelope, color=GREY, linewidth=1)
    axes.set_xlim(-0.5, len(envelope) - 0.5)
    axes.set_ylim(0, 1.05)
    axes.set_yticks([0.5], ['intensity'], color=GREY)
    axes.set_xticks([])
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)


def _draw_marks(axes: Axes, clip: ClipSplit) -> None:
    names = []
    for y, (name, colour, places, regular) in enumerate(
        (
            ('context', BLUE, clip.context, clip.regular[0]),
            ('dynamics', ORANGE, clip.dynamics, clip.regular[1]),
        )
    ):
        # Above where the regular split reads, below where this one does.
        high, low = y - SPREAD, y + SPREAD
        axes.plot(np.stack([regular, places]), [high, low], color=colour, linewidth=1)
        axes.scatter(regular, [high] * len(regular), **HOLLOW)
        axes.scatter(places, [low] * len(places), s=26, color=colour, zorder=3)
        names.append((name, colour))
    axes.set_yticks([0, 1], [name for name, _ in names])
    for label, (_, colour) in zip(axes.get_yticklabels(), names, strict=True):
        label.set_color(colour)
    axes.set_ylim(1.45, -0.45)
    axes.set_xlim(-0.5, len(clip.frames) - 0.5)
    axes.set_xticks(range(len(clip.frames)))
    axes.tick_params(axis='y', length=0)
    axes.tick_params(axis='x', labelsize=7, color=GREY, labelcolor=GREY)
    axes.set_xlabel('frame of the clip', size=8, color=GREY, labelpad=1)
    axes.spines['left'].set_visible(False)
    axes.spines['bottom'].set_color(PALE)


def _draw_matrix(figure: Figure, axes: Axes, correlation: np.ndarray) -> None:
    image = axes.imshow(correlation, cmap='viridis')
    axes.set_title('correlation', size=9, pad=4)
    axes.set_xlabel('frame of $X$', size=8, color=GREY, labelpad=1)
    ticks = range(0, len(correlation), -(-len(correlation) // 8))
    axes.set_xticks(ticks)
    axes.set_yticks(ticks)
    axes.tick_params(length=0, labelsize=6.5, labelcolor=GREY, pad=1)
    axes.spines[:].set_visible(False)
    bar = axes.inset_axes((1.05, 0, 0.05, 1))
    figure.colorbar(image, cax=bar)
    bar.tick_params(length=0, labelsize=6.5, labelcolor=GREY, pad=1)
    bar.spines[:].set_visible(False)
