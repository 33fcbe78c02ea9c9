"""Colors and markers of models in figures of estimates with intervals."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from .style import BLUE, GRAY, GREEN, ORANGE, PINK, RED, SKY

COLORS = (RED, BLUE, GREEN, ORANGE, PINK, SKY, 'black')
MARKERS = 'osD^vPX'


def model_mark(number: int) -> tuple[str, str]:
    """Return color and marker of a model by its number."""
    return COLORS[number % len(COLORS)], MARKERS[number % len(MARKERS)]


def in_percent(estimates: Sequence[Mapping[str, float]]) -> tuple[np.ndarray, ...]:
    """Return means and bounds of estimates in percent, ``(N,)`` each."""
    keys = ('mean', 'low', 'high')
    return tuple(100 * np.array([found[key] for found in estimates]) for key in keys)


def name_models(figure: Figure, axes: Axes, dotted: str = 'chance') -> None:
    """Draw a legend of the models in axes, and of what dotted lines are."""
    handles, names = axes.get_legend_handles_labels()
    line = Line2D([], [], color=GRAY, linewidth=0.8, linestyle=':')
    figure.legend(
        [*handles, line],
        [*names, dotted],
        loc='outside upper center',
        ncols=min(4, len(handles) + 1),
    )
