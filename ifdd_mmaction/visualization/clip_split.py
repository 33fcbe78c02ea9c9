"""How the split reads a clip: its frames, and the times of both groups."""

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

    Raises:
        ValueError: If there is no clip.

    Example:
        >>> from ifdd_mmaction.visualization import ClipSplit, plot_clip_split
        >>> frames = np.zeros((8, 32, 32, 3), np.uint8)
        >>> even, odd = np.r_[0:8:2], np.r_[1:8:2]
        >>> clip = ClipSplit('anna, happy', frames, even + 0.3, odd - 0.2, (even, odd))
        >>> plot_clip_split([clip]).savefig('split.png')
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


COLUMNS = 2
PANEL = 4.6, 1.75  # inches
#: Where the rows of marks are, below the curve from 0 to 1.
ROWS = {
    'dynamics': (-0.2, ORANGE),
    'context': (-0.42, BLUE),
    'interval': (-0.64, GREY),
}


class ClipTiming(NamedTuple):
    """A clip to show; all positions are in its frames, from 0.

    Attributes:
        title: Put above the panel.
        envelope: Intensity of the emotion in each frame, ``(F,)``, 0 to 1.
        dynamics: Frames that the dynamics group reads.
        context: Frames that the context group reads.
        interval: Frames that the dynamics group of the interval split reads.
    """

    title: str
    envelope: Sequence[float] | np.ndarray
    dynamics: Sequence[float] | np.ndarray
    context: Sequence[float] | np.ndarray
    interval: Sequence[float] | np.ndarray


@matplotlib.rc_context(STYLE)
def plot_split_timing(clips: Sequence[ClipTiming]) -> Figure:
    """Draw the intensity over time of each clip, and marks where the groups read it.

    Returns:
        A figure with a panel for each clip, two in a row.

    Raises:
        ValueError: If there is no clip.

    Example:
        >>> from ifdd_mmaction.visualization import ClipTiming, plot_split_timing
        >>> envelope = np.sin(np.linspace(0, np.pi, 16))
        >>> clip = ClipTiming('anna', envelope, [6, 8, 9], [0, 2, 14], [1, 3, 5])
        >>> plot_split_timing([clip]).savefig('timing.png')
    """
    if not clips:
        raise ValueError(f'{len(clips)} clips to draw: give at least one')
    rows = -(-len(clips) // COLUMNS)
    width, height = PANEL
    figure = Figure(
        figsize=(COLUMNS * width, rows * height + 0.3), layout='constrained'
    )
    panels = figure.subplots(rows, COLUMNS, squeeze=False).ravel()
    for axes in panels[len(clips) :]:
        axes.set_axis_off()
    for axes, clip in zip(panels, clips, strict=False):
        frames = np.arange(len(clip.envelope))
        axes.fill_between(frames, clip.envelope, color=PALE, alpha=0.6, linewidth=0)
        axes.plot(frames, clip.envelope, color=GREY, linewidth=1)
        for name, (y, colour) in ROWS.items():
            axes.eventplot(
                np.asarray(getattr(clip, name)),
                lineoffsets=y,
                linelengths=0.17,
                linewidths=2,
                colors=colour,
            )
        axes.set_title(clip.title, loc='left', pad=3)
        axes.set_xlim(-0.5, len(frames) - 0.5)
        axes.set_ylim(-0.78, 1.05)
        axes.set_yticks(
            [1, 0, *(y for y, _ in ROWS.values())],
            ['1', '0', *(name if name != 'interval' else 'odd' for name in ROWS)],
        )
        axes.tick_params(axis='y', length=0)
        for label, (_, colour) in zip(
            axes.get_yticklabels()[2:], ROWS.values(), strict=True
        ):
            label.set_color(colour)
    for axes in panels[max(len(clips) - COLUMNS, 0) : len(clips)]:
        axes.set_xlabel('frame of the clip')
    figure.supylabel('intensity of the emotion', size=9)
    return figure
