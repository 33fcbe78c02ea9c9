"""Histograms of the predicted probability of each class."""

from __future__ import annotations

from collections.abc import Sequence

import matplotlib
import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from .style import BLUE, GRAY, ORANGE, PALE, STYLE

BINS = 25
COLUMN = 0.95  # inches
#: Width of the fullest bin of a histogram, in columns.
REACH = 0.44


@matplotlib.rc_context(STYLE)
def plot_confidences(
    probabilities: np.ndarray,
    labels: Sequence[int] | np.ndarray,
    classes: Sequence[str],
    title: str = '',
) -> Figure:
    """Draw, for each class, the predicted probabilities of its positives and negatives.

    Args:
        probabilities: ``(N, K)``, each row sums to 1.
        labels: ``(N,)`` class indexes.
        classes: ``K`` class names.
        title: Title above the figure.

    Returns:
        A figure with a pair of histograms for each class, negatives to the left and
        positives to the right. Each is as wide as its fullest bin; lines mark medians.

    Raises:
        ValueError: If the shapes do not match, or there is no clip.

    Example:
        >>> from ifdd_mmaction.visualization import plot_confidences
        >>> scores = np.array([[0.9, 0.1], [0.4, 0.6], [0.3, 0.7]])
        >>> figure = plot_confidences(scores, [0, 1, 1], classes=['happy', 'sad'])
        >>> figure.savefig('confidences.png')
    """
    probabilities, labels = np.asarray(probabilities), np.asarray(labels)
    if not len(labels) or probabilities.shape != (len(labels), len(classes)):
        raise ValueError(
            f'{len(labels)} labels, {len(classes)} classes and probabilities of shape '
            f'{probabilities.shape}: it must be (N, K) with at least one clip'
        )
    width = max(COLUMN * len(classes) + 0.8, 5.0)
    figure = Figure(figsize=(width, 3.6), layout='constrained')
    axes = figure.add_subplot()
    ticks = []
    for k, name in enumerate(classes):
        own = labels == k
        _draw_half(axes, k, -1, probabilities[~own, k], BLUE)
        _draw_half(axes, k, 1, probabilities[own, k], ORANGE)
        axes.axvline(k, color=GRAY, linewidth=0.6)
        ticks.append(f'{name}\nn = {own.sum()}')
    axes.set_xticks(range(len(classes)), ticks)
    axes.tick_params(axis='x', length=0)
    axes.set_xlim(-0.6, len(classes) - 0.4)
    axes.set_ylim(0, 1)
    axes.set_yticks(np.linspace(0, 1, 5), ['0', '25', '50', '75', '100 %'])
    axes.set_ylabel('probability of the class')
    axes.grid(axis='y', color=PALE, linewidth=0.5)
    axes.set_axisbelow(True)
    handles: list[Artist] = [
        matplotlib.patches.Patch(color=color, alpha=0.75, label=label)
        for color, label in (
            (BLUE, 'negatives: clips of other classes'),
            (ORANGE, 'positives: clips of the class'),
        )
    ]
    handles.append(
        matplotlib.lines.Line2D([], [], color='black', linewidth=1.5, label='median')
    )
    figure.legend(handles=handles, loc='outside upper center', ncols=3)
    if title:
        figure.suptitle(title, size=10)
    return figure


def _draw_half(axes: Axes, x: int, side: int, values: np.ndarray, color: str) -> None:
    """Draw a histogram on one side of the line ``x``."""
    if not len(values):
        return
    counts, edges = np.histogram(values, BINS, (0, 1))
    axes.barh(
        edges[:-1],
        side * REACH * counts / counts.max(),
        height=1 / BINS,
        left=x,
        align='edge',
        color=color,
        alpha=0.75,
        linewidth=0,
    )
    median = np.median(values)
    axes.plot([x, x + side * REACH], [median] * 2, color='black', linewidth=1.5)
