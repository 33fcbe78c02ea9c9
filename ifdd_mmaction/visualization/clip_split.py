"""Sampling positions of both groups of a split in the frames of a clip."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from .style import BLUE, GRAY, ORANGE, PALE, STYLE

# Inches.
FRAME, MATRIX = 0.62, 2.05
LEFT, RIGHT, GAP, TOP, BOTTOM = 0.85, 0.6, 0.35, 0.3, 0.12
AXIS, MARKS, CURVE = 0.42, 0.8, 0.42

#: Vertical distance of both markers from the line of their group.
SPREAD = 0.25
HOLLOW: Any = dict(s=22, facecolors='white', edgecolors=GRAY, zorder=2)


class ClipSplit(NamedTuple):
    """A clip to show; positions are in frames of the clip, from 0.

    Attributes:
        title: Title above the frames.
        frames: ``(F, H, W, 3)`` uint8 RGB.
        context: Sampling positions of the context group X_S.
        dynamics: Sampling positions of the dynamics group X_D.
        regular: Both positions for a split into even and odd frames.
        correlation: Correlation of the feature's frames, ``(T, T)``; None if the split
            does not compute it.
        envelope: Intensity of the expression per frame, ``(F,)``, 0 to 1, if known.
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
    """Draw each clip in a row: frames, sampling positions of both groups, correlation.

    A line connects the position of the regular split, a hollow marker, with the
    position of this split.

    Raises:
        ValueError: If ``clips`` is empty.

    Example:
        >>> from ifdd_mmaction.visualization import ClipSplit, plot_clip_split
        >>> frames = np.zeros((8, 32, 32, 3), np.uint8)
        >>> even, odd = np.r_[0:8:2], np.r_[1:8:2]
        >>> clip = ClipSplit('anna, happy', frames, even + 0.3, odd - 0.2, (even, odd))
        >>> plot_clip_split([clip]).savefig('split.png')
    """
    if not clips:
        raise ValueError(f'clips={list(clips)}: must not be empty')
    count = max(len(clip.frames) for clip in clips)
    strip = FRAME * count
    timed = any(clip.envelope is not None for clip in clips)
    height = FRAME + (CURVE if timed else 0) + MARKS + AXIS
    correlated = any(clip.correlation is not None for clip in clips)
    row = max(height, MATRIX if correlated else 0) + TOP + BOTTOM
    width = LEFT + strip + (GAP + MATRIX if correlated else 0) + RIGHT
    total = row * len(clips)
    figure = Figure(figsize=(width, total))

    def add_axes(x: float, y: float, w: float, h: float) -> Axes:
        """Add axes by the position of their upper left corner, in inches."""
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
    axes.plot(frames, envelope, color=GRAY, linewidth=1)
    axes.set_xlim(-0.5, len(envelope) - 0.5)
    axes.set_ylim(0, 1.05)
    axes.set_yticks([0.5], ['intensity'], color=GRAY)
    axes.set_xticks([])
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)


def _draw_marks(axes: Axes, clip: ClipSplit) -> None:
    names = []
    for y, (name, color, places, regular) in enumerate(
        (
            ('context', BLUE, clip.context, clip.regular[0]),
            ('dynamics', ORANGE, clip.dynamics, clip.regular[1]),
        )
    ):
        # Upper markers: the regular split; lower markers: this split.
        high, low = y - SPREAD, y + SPREAD
        axes.plot(np.stack([regular, places]), [high, low], color=color, linewidth=1)
        axes.scatter(regular, [high] * len(regular), **HOLLOW)
        axes.scatter(places, [low] * len(places), s=26, color=color, zorder=3)
        names.append((name, color))
    axes.set_yticks([0, 1], [name for name, _ in names])
    for label, (_, color) in zip(axes.get_yticklabels(), names, strict=True):
        label.set_color(color)
    axes.set_ylim(1.45, -0.45)
    axes.set_xlim(-0.5, len(clip.frames) - 0.5)
    axes.set_xticks(range(len(clip.frames)))
    axes.tick_params(axis='y', length=0)
    axes.tick_params(axis='x', labelsize=7, color=GRAY, labelcolor=GRAY)
    axes.set_xlabel('frame of the clip', size=8, color=GRAY, labelpad=1)
    axes.spines['left'].set_visible(False)
    axes.spines['bottom'].set_color(PALE)


def _draw_matrix(figure: Figure, axes: Axes, correlation: np.ndarray) -> None:
    image = axes.imshow(correlation, cmap='viridis')
    axes.set_title('correlation', size=9, pad=4)
    axes.set_xlabel('frame of $X$', size=8, color=GRAY, labelpad=1)
    ticks = range(0, len(correlation), -(-len(correlation) // 8))
    axes.set_xticks(ticks)
    axes.set_yticks(ticks)
    axes.tick_params(length=0, labelsize=6.5, labelcolor=GRAY, pad=1)
    axes.spines[:].set_visible(False)
    bar = axes.inset_axes((1.05, 0, 0.05, 1))
    figure.colorbar(image, cax=bar)
    bar.tick_params(length=0, labelsize=6.5, labelcolor=GRAY, pad=1)
    bar.spines[:].set_visible(False)


COLUMNS = 2
PANEL = 4.6, 1.75  # inches
#: Vertical position and color of the rows of markers, below the curve from 0 to 1.
ROWS = {
    'dynamics': (-0.2, ORANGE),
    'context': (-0.42, BLUE),
    'interval': (-0.64, GRAY),
}


class ClipTiming(NamedTuple):
    """A clip to show; positions are in frames of the clip, from 0.

    Attributes:
        title: Title above the panel.
        envelope: Intensity of the expression per frame, ``(F,)``, 0 to 1.
        dynamics: Sampling positions of the dynamics group.
        context: Sampling positions of the context group.
        interval: Sampling positions of the dynamics group of the interval split.
    """

    title: str
    envelope: Sequence[float] | np.ndarray
    dynamics: Sequence[float] | np.ndarray
    context: Sequence[float] | np.ndarray
    interval: Sequence[float] | np.ndarray


@matplotlib.rc_context(STYLE)
def plot_split_timing(clips: Sequence[ClipTiming]) -> Figure:
    """Draw the intensity over time of each clip, with the sampling positions.

    Returns:
        A figure with one panel per clip, two per row.

    Raises:
        ValueError: If ``clips`` is empty.

    Example:
        >>> from ifdd_mmaction.visualization import ClipTiming, plot_split_timing
        >>> envelope = np.sin(np.linspace(0, np.pi, 16))
        >>> clip = ClipTiming('anna', envelope, [6, 8, 9], [0, 2, 14], [1, 3, 5])
        >>> plot_split_timing([clip]).savefig('timing.png')
    """
    if not clips:
        raise ValueError(f'clips={list(clips)}: must not be empty')
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
        axes.plot(frames, clip.envelope, color=GRAY, linewidth=1)
        for name, (y, color) in ROWS.items():
            axes.eventplot(
                np.asarray(getattr(clip, name)),
                lineoffsets=y,
                linelengths=0.17,
                linewidths=2,
                colors=color,
            )
        axes.set_title(clip.title, loc='left', pad=3)
        axes.set_xlim(-0.5, len(frames) - 0.5)
        axes.set_ylim(-0.78, 1.05)
        axes.set_yticks(
            [1, 0, *(y for y, _ in ROWS.values())],
            ['1', '0', *(name if name != 'interval' else 'odd' for name in ROWS)],
        )
        axes.tick_params(axis='y', length=0)
        for label, (_, color) in zip(
            axes.get_yticklabels()[2:], ROWS.values(), strict=True
        ):
            label.set_color(color)
    for axes in panels[max(len(clips) - COLUMNS, 0) : len(clips)]:
        axes.set_xlabel('frame of the clip')
    figure.supylabel('intensity of the expression', size=9)
    return figure
