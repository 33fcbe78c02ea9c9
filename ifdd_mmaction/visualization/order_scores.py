"""UAR of models on each order of frames."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from .model_marks import in_percent, model_mark, name_models
from .style import GRAY, PALE, STYLE

#: Inches of a row.
ROW = 0.34

Report = Mapping[str, Any]


@matplotlib.rc_context(STYLE)
def plot_orders(models: Mapping[str, Report], num_classes: int) -> Figure:
    """Draw the UAR of models on each order of frames, and its difference to in order.

    Args:
        models: Reports of :func:`~ifdd_mmaction.analysis.temporal_reliance` by name.
        num_classes: Classes that have clips; chance is one of them.

    Raises:
        ValueError: If there is no model.

    Example:
        >>> from ifdd_mmaction.visualization import plot_orders
        >>> estimate = dict(UAR=dict(mean=0.7, low=0.6, high=0.8))
        >>> row = dict(estimate, minus_in_order=estimate)
        >>> figure = plot_orders({'ViT': dict(orders={'reversed': row})}, 7)
        >>> [axes.get_xlabel() for axes in figure.axes]
        ['UAR (%)', 'UAR minus that in order (points)']
    """
    if not models:
        raise ValueError(f'models={dict(models)}: must not be empty')
    rows = list(next(iter(models.values()))['orders'])
    count = len(models)
    height = ROW * len(rows) * max(1, count / 2) + 0.5 + 0.22 * count
    figure = Figure(figsize=(8.2, height), layout='constrained')
    left, right = figure.subplots(1, 2, sharey=True)
    for i, (name, report) in enumerate(models.items()):
        offset = (i - (count - 1) / 2) * 0.7 / count
        y = np.arange(len(rows)) + offset
        for axes, part in ((left, None), (right, 'minus_in_order')):
            found = [report['orders'][row] for row in rows]
            found = [row[part] if part else row for row in found]
            _dots(axes, y, [row['UAR'] for row in found], i, name)
    left.axvline(100 / num_classes, color=GRAY, linewidth=0.8, linestyle=':')
    right.axvline(0, color=GRAY, linewidth=0.8)
    left.set_yticks(range(len(rows)), rows)
    left.set_ylim(len(rows) - 0.5, -0.5)
    left.set_xlabel('UAR (%)')
    right.set_xlabel('UAR minus that in order (points)')
    for axes in (left, right):
        axes.hlines(np.arange(len(rows) - 1) + 0.5, 0, 1, color=PALE, linewidth=0.5,
                    transform=axes.get_yaxis_transform())  # fmt: skip
        axes.tick_params(axis='y', length=0)
    name_models(figure, left)
    return figure


def _dots(
    axes: Axes, y: np.ndarray, found: Sequence[Mapping[str, float]], i: int, name: str
) -> None:
    mean, low, high = in_percent(found)
    color, marker = model_mark(i)
    axes.hlines(y, low, high, color=color, linewidth=1)
    axes.scatter(mean, y, s=16, color=color, marker=marker, label=name, zorder=3)
