"""Clips with their true class, predicted class and probabilities."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from .style import GRAY, GREEN, PALE, RED, STYLE

# Inches.
FRAMES_WIDTH, FRAME_HEIGHT = 11.2, 0.9
LETTER = 0.085
BARS_WIDTH, BAR_HEIGHT = 1.6, 0.115
GAP, MARGIN, HEADER = 0.15, 0.12, 0.3
# In heights of a frame.
FRAME_GAP = 0.03


class ClipPrediction(NamedTuple):
    """A clip to show: label from 0, ``K`` scores, frames ``(H, W, 3)`` uint8 RGB."""

    name: str
    label: int
    scores: Sequence[float]
    frames: Sequence[np.ndarray]


def probabilities(scores: Sequence[float]) -> np.ndarray:
    """Return the softmax ``(K,)`` of ``K`` scores.

    A head with ``average_clips='prob'`` returns probabilities: these are returned
    unchanged.

    Example:
        >>> from ifdd_mmaction.visualization import probabilities
        >>> probabilities([2.0, 0.0]).round(3).tolist()
        [0.881, 0.119]
        >>> probabilities([0.25, 0.75]).tolist()
        [0.25, 0.75]
    """
    values = np.asarray(scores, dtype=np.float64)
    if (values >= 0).all() and abs(values.sum() - 1) < 1e-3:
        return values
    exponents = np.exp(values - values.max())
    return exponents / exponents.sum()


@matplotlib.rc_context(STYLE)
def plot_prediction_strip(
    clips: Sequence[ClipPrediction], classes: Sequence[str], title: str = ''
) -> Figure:
    """Draw each clip in a row: true and predicted class, frames, probabilities.

    Args:
        clips: At least one clip, each with at least one frame.
        classes: ``K`` class names.
        title: Title above the rows.

    Returns:
        A figure whose size depends on the clips; a correct prediction is green with a
        check mark, a wrong one red with a cross.

    Raises:
        ValueError: If there is no clip, or a clip has no frames.

    Example:
        >>> from ifdd_mmaction.datasets.storage import FolderClipSource
        >>> from ifdd_mmaction.visualization import ClipPrediction
        >>> from ifdd_mmaction.visualization import plot_prediction_strip
        >>> frames = FolderClipSource('frames/anna').read(range(8))
        >>> clip = ClipPrediction('anna', label=0, scores=[0.9, 0.1], frames=frames)
        >>> plot_prediction_strip([clip], ['happy', 'sad']).savefig('strip.png')
    """
    if not clips or not all(clip.frames for clip in clips):
        counts = [len(clip.frames) for clip in clips]
        raise ValueError(
            f'clips with {counts} frames: there must be at least one clip, and no clip '
            'without frames'
        )
    longest = max(map(len, classes))
    names = max(
        1.25, longest * LETTER + 0.3, *(len(c.name) * 0.07 + 0.4 for c in clips)
    )
    bar_names = longest * LETTER * 0.7 + 0.05
    # One scale for all rows: the widest row fills the column.
    span = max(_widths(clip.frames).sum() for clip in clips)
    frame = min(FRAME_HEIGHT, FRAMES_WIDTH / span)
    row = max(frame, BAR_HEIGHT * len(classes)) + GAP
    # At least as wide as the heading.
    middle = max(span * frame, 1.8)
    top = HEADER + (0.3 if title else 0)
    width = names + middle + GAP + bar_names + BARS_WIDTH + 2 * MARGIN
    height = top + row * len(clips) + MARGIN
    figure = Figure(figsize=(width, height))

    def add_axes(x: float, y: float, w: float, h: float) -> Axes:
        """Add axes by the position of their upper left corner, in inches."""
        return figure.add_axes((x / width, 1 - (y + h) / height, w / width, h / height))

    frames_left = MARGIN + names
    bars_left = frames_left + middle + GAP + bar_names
    heads = {
        MARGIN: 'True / predicted',
        frames_left: 'Frames in order of time',
        bars_left: 'Probability',
    }
    for x, text in heads.items():
        y = 1 - (top - 0.06) / height
        figure.text(x / width, y, text, color=GRAY, va='bottom')
    if title:
        figure.text(0.5, 1 - 0.1 / height, title, ha='center', va='top', size=10)
    for i, clip in enumerate(clips):
        y = top + i * row
        inner = row - GAP
        _write_classes(add_axes(MARGIN, y, names, inner), clip, classes)
        place = add_axes(frames_left, y + (inner - frame) / 2, span * frame, frame)
        _show_frames(place, clip.frames, span)
        _draw_bars(add_axes(bars_left, y, BARS_WIDTH, inner), clip, classes)
    return figure


def _write_classes(axes: Axes, clip: ClipPrediction, classes: Sequence[str]) -> None:
    axes.set_axis_off()
    predicted = int(np.argmax(clip.scores))
    right = predicted == clip.label
    verdict = f'{"✓" if right else "✗"} {classes[predicted]}'
    # Line spacing is fixed in points, independent of the height of the row.
    for above, text, color, size in (
        (12, classes[clip.label], 'black', 9),
        (-3, verdict, GREEN if right else RED, 9),
        (-17, f'clip {clip.name}', GRAY, 7),
    ):
        axes.annotate(
            text,
            (0, 0.5),
            (0, above),
            xycoords='axes fraction',
            textcoords='offset points',
            color=color,
            weight='normal' if color == GRAY else 'bold',
            size=size,
        )


def _widths(frames: Sequence[np.ndarray]) -> np.ndarray:
    """Return widths ``(T,)``, in frame heights, including the gap after each frame."""
    return np.array([f.shape[1] / f.shape[0] + FRAME_GAP for f in frames])


def _show_frames(axes: Axes, frames: Sequence[np.ndarray], span: float) -> None:
    rights = np.cumsum(_widths(frames))
    lefts = [0.0, *rights[:-1]]
    for image, left, right in zip(frames, lefts, rights - FRAME_GAP, strict=True):
        axes.imshow(image, extent=(left, right, 0, 1), aspect='auto')
    axes.set_xlim(0, span)
    axes.set_ylim(0, 1)
    axes.set_axis_off()


def _draw_bars(axes: Axes, clip: ClipPrediction, classes: Sequence[str]) -> None:
    shares = probabilities(clip.scores)
    predicted = int(np.argmax(clip.scores))
    colors = [PALE] * len(classes)
    colors[clip.label] = GRAY
    colors[predicted] = GREEN if predicted == clip.label else RED
    axes.barh(range(len(classes)), shares, color=colors, height=0.8)
    for i, share in enumerate(shares):
        axes.text(share + 0.02, i, f'{share:.0%}', va='center_baseline', size=6)
    axes.set_yticks(range(len(classes)), classes)
    axes.tick_params(length=0, labelsize=6.5, pad=2)
    axes.get_yticklabels()[clip.label].set_fontweight('bold')
    axes.set_ylim(len(classes) - 0.5, -0.5)
    axes.set_xlim(0, 1.2)
    axes.set_xticks([])
    axes.spines['bottom'].set_visible(False)
    axes.spines['left'].set_color(GRAY)
