"""The recall of each class as a polygon, one for each model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib
import numpy as np
from matplotlib.figure import Figure

from .style import BLUE, GREEN, GREY, ORANGE, PALE, RED, STYLE

#: The first model is drawn over the others, thick and filled.
COLOURS = (RED, BLUE, GREEN, ORANGE, '#CC79A7', '#56B4E9', 'black')
#: Inches; a letter at 9 points.
RADIUS, LETTER = 1.8, 0.085
LINES = ('-', '--', '-.', ':')


@matplotlib.rc_context(STYLE)
def plot_recall_radar(
    recalls: Mapping[str, Sequence[float | None]],
    classes: Sequence[str],
    title: str = '',
) -> Figure:
    """Draw the recall of each class on a spoke, from 0 in the center to 100 %.

    Args:
        recalls: By name of the model, ``K`` fractions of 1; the first one stands out.
            None or NaN where a model has no such class: its line has a gap there.
        classes: ``K`` names, at least three.
        title: Put above the picture.

    Returns:
        A figure with a legend that tells the UAR of each model.

    Raises:
        ValueError: If there are fewer than three classes, or recalls of another number.

    Example:
        >>> from ifdd_mmaction.visualization import plot_recall_radar
        >>> recalls = {'IFDD': [0.9, 0.7, 0.8], 'backbone': [0.8, 0.7, 0.6]}
        >>> figure = plot_recall_radar(recalls, ['happy', 'sad', 'angry'])
        >>> [text.get_text() for text in figure.legends[0].texts]
        ['IFDD  (UAR 80.0%)', 'backbone  (UAR 70.0%)']
    """
    size = len(classes)
    if size < 3:
        raise ValueError(f'{size} classes: a radar chart takes at least three')
    values = {n: np.array(recall, dtype=float) for n, recall in recalls.items()}
    if not values or any(v.shape != (size,) for v in values.values()):
        shapes = {name: v.shape for name, v in values.items()}
        raise ValueError(f'{size} classes and recalls of {shapes}: (K,) is wanted')
    beside = max(map(len, classes)) * LETTER + 0.15
    legend = max(len(name) + 13 for name in values) * LETTER * 0.8 + 0.35
    below, above = 0.35, 0.65 if title else 0.35
    width, height = RADIUS * 2 + beside * 2 + legend, RADIUS * 2 + below + above
    figure = Figure(figsize=(width, height))
    axes: Any = figure.add_axes(  # PolarAxes
        (beside / width, below / height, 2 * RADIUS / width, 2 * RADIUS / height),
        projection='polar',
    )
    axes.set_theta_zero_location('N')
    axes.set_theta_direction(-1)
    angles = np.linspace(0, 2 * np.pi, size, endpoint=False)
    for i, (name, recall) in reversed(list(enumerate(values.items()))):
        mean = np.nanmean(recall)
        axes.plot(
            [*angles, 0],
            [*recall, recall[0]],
            LINES[i // len(COLOURS) % len(LINES)] if i else '-',
            color=COLOURS[i % len(COLOURS)],
            linewidth=1.1 if i else 2.2,
            marker='o',
            markersize=2.5 if i else 4,
            label=f'{name}  (UAR {mean:.1%})',
            zorder=3 if i else 4,
        )
    first = next(iter(values.values()))
    axes.fill(angles, np.nan_to_num(first), color=COLOURS[0], alpha=0.12, zorder=2)
    axes.set_ylim(0, 1)
    axes.set_rgrids([0.25, 0.5, 0.75, 1], ['25', '50', '75', '100 %'], angle=180 / size)
    axes.tick_params(axis='y', labelsize=7, labelcolor=GREY)
    axes.set_xticks(angles, classes)
    axes.tick_params(axis='x', pad=2, labelsize=9)
    for label, angle in zip(axes.get_xticklabels(), angles, strict=True):
        across = np.sin(angle)
        if abs(across) > 0.1:  # beside the circle: the name begins or ends there
            label.set_horizontalalignment('left' if across > 0 else 'right')
    axes.grid(color=PALE, linewidth=0.6)
    axes.spines['polar'].set_color(PALE)
    handles, labels = axes.get_legend_handles_labels()
    figure.legend(
        handles[::-1], labels[::-1], loc='center right', bbox_to_anchor=(1, 0.5)
    )
    if title:
        figure.suptitle(title, size=10, y=1 - 0.1 / height, va='top')
    return figure
