"""How sure a model is of each class, of clips that are of the class and of others."""

from __future__ import annotations

from collections.abc import Sequence

import matplotlib
import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from .style import BLUE, GREY, ORANGE, PALE, STYLE

BINS = 25
COLUMN = 0.95  # inches
#: Half the width of a column that the fuller histogram fills.
REACH = 0.44


@matplotlib.rc_context(STYLE)
def plot_confidences(
    probabilities: np.ndarray,
    labels: Sequence[int] | np.ndarray,
    classes: Sequence[str],
    title: str = '',
) -> Figure:
    """Draw the probabilities of each class, of clips of the class and of others.

    Args:
        probabilities: ``(N, K)``, each row sums to 1.
        labels: ``(N,)`` class indexes.
        classes: ``K`` names.
        title: Put above the picture.

    Returns:
        A figure with a pair of histograms for each class, negatives to the left and
        positives to the right. Each is as wide as its fullest bin; lines mark medians.

    Raises:
        ValueError: If the shapes do not fit, or there is no clip.

    Example:
        >>> from ifdd_mmaction.visualization import plot_confidences
        >>> scores = np.array([[0.9, 0.1], [0.4, 0.6], [0.3, 0.7]])
        >>> figure = plot_confidences(scores, [0, 1, 1], classes=['happy', 'sad'])
        >>> figure.savefig('confidences.png')
    """
    probabilities, labels = np.asarray(probabilities), np.asarray(labels)
    if not len(labels) or probabilities.shape != (len(labels), len(classes)):
        raise ValueError(
            f'{len(labels)} labels, {len(classes)} classes and probabilities of '
            f'{probabilities.shape}: (N, K) of at least one clip is wanted'
        )
    width = max(COLUMN * len(classes) + 0.8, 5.0)
    figure = Figure(figsize=(width, 3.6), layout='constrained')
    axes = figure.add_subplot()
    ticks = []
    for k, name in enumerate(classes):
        own = labels == k
        _draw_half(axes, k, -1, probabilities[~own, k], BLUE)
        _draw_half(axes, k, 1, probabilities[own, k], ORANGE)
        axes.axvline(k, color=GREY, linewidth=0.6)
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
        matplotlib.patches.Patch(color=colour, alpha=0.75, label=label)
        for colour, label in (
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


def _draw_half(axes: Axes, x: int, side: int, values: np.ndarray, colour: str) -> None:
    """Draw a histogram that leans on the line ``x`` from one side."""
    if not len(values):
        return
    counts, edges = np.histogram(values, BINS, (0, 1))
    axes.barh(
        edges[:-1],
        side * REACH * counts / counts.max(),
        height=1 / BINS,
        left=x,
        align='edge',
        color=colour,
        alpha=0.75,
        linewidth=0,
    )
    median = np.median(values)
    axes.plot([x, x + side * REACH], [median] * 2, color='black', linewidth=1.5)
