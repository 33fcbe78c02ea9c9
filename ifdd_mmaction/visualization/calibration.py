"""Reliability diagrams and risk-coverage curves."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import matplotlib
import numpy as np
from matplotlib.artist import Artist
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import PercentFormatter

from ..evaluation.calibration import Reliability, RiskCoverage
from .recall_radar import COLORS
from .style import BLUE, GRAY, ORANGE, PALE, STYLE

# Inches.
PANEL, HEIGHT, COLUMNS = 2.9, 3.9, 2
PERCENT = ['0', '25', '50', '75', '100 %']


@matplotlib.rc_context(STYLE)
def plot_reliability(models: Mapping[str, Reliability], title: str = '') -> Figure:
    """Draw accuracy against confidence, a panel for each model.

    Args:
        models: Bins of :func:`~ifdd_mmaction.evaluation.reliability` by name of the
            model, at least one.
        title: Title above the figure.

    Returns:
        A figure; below each panel is the share of the clips in each bin. An empty bin
        has no bar.

    Raises:
        ValueError: If there is no model.

    Example:
        >>> from ifdd_mmaction.evaluation import reliability
        >>> from ifdd_mmaction.visualization import plot_reliability
        >>> found = reliability([[0.9, 0.1], [0.7, 0.3], [0.4, 0.6]], [0, 1, 1])
        >>> figure = plot_reliability({'IFDD': found})
        >>> figure.axes[0].get_title()
        'IFDD: ECE 40.0 %'
    """
    if not models:
        raise ValueError(f'models={dict(models)}: must not be empty')
    columns = min(len(models), COLUMNS)
    rows = -(-len(models) // columns)
    size = PANEL * max(columns, 1.5), HEIGHT * rows + 0.35 + (0.3 if title else 0)
    figure = Figure(figsize=size, layout='constrained')
    grid = figure.add_gridspec(2 * rows, columns, height_ratios=[3, 1] * rows)
    for i, (name, found) in enumerate(models.items()):
        row, column = divmod(i, columns)
        upper = figure.add_subplot(grid[2 * row, column])
        lower = figure.add_subplot(grid[2 * row + 1, column], sharex=upper)
        _draw_bins(upper, found)
        upper.set_title(f'{name}: ECE {found.error:.1%}'.replace('%', ' %'))
        _draw_shares(lower, found)
        if column == 0:
            upper.set_ylabel('accuracy')
            lower.set_ylabel('clips')
    handles: list[Artist] = [
        Patch(color=BLUE, alpha=0.6, label='accuracy of the bin'),
        Line2D([], [], color=ORANGE, linewidth=2, label='its mean confidence'),
    ]
    figure.legend(handles=handles, loc='outside lower center', ncols=2)
    if title:
        figure.suptitle(title, size=10)
    return figure


def _draw_bins(axes: Any, found: Reliability) -> None:
    filled = np.flatnonzero(found.counts)
    lefts, rights = found.edges[filled], found.edges[filled + 1]
    axes.plot([0, 1], [0, 1], color=GRAY, linewidth=0.8, linestyle='--')
    axes.bar(
        lefts, found.accuracy[filled], rights - lefts,
        align='edge', color=BLUE, alpha=0.6, edgecolor='white', linewidth=0.6,
    )  # fmt: skip
    axes.hlines(found.confidence[filled], lefts, rights, color=ORANGE, linewidth=2)
    axes.set_xlim(0, 1)
    axes.set_ylim(0, 1.02)
    axes.set_yticks(np.linspace(0, 1, 5), PERCENT)
    axes.tick_params(axis='x', labelbottom=False)
    axes.grid(axis='y', color=PALE, linewidth=0.5)
    axes.set_axisbelow(True)


def _draw_shares(axes: Any, found: Reliability) -> None:
    shares = found.counts / found.counts.sum()
    axes.bar(
        found.edges[:-1], shares, np.diff(found.edges),
        align='edge', color=GRAY, edgecolor='white', linewidth=0.6,
    )  # fmt: skip
    axes.set_xticks(np.linspace(0, 1, 5), PERCENT)
    axes.set_xlabel('confidence')
    top = float(shares.max())
    axes.set_ylim(0, top)
    axes.set_yticks([0, top], ['0', f'{top:.0%}'])


@matplotlib.rc_context(STYLE)
def plot_risk_coverage(models: Mapping[str, RiskCoverage], title: str = '') -> Figure:
    """Draw the share of errors among the most confident clips, a curve for each model.

    Args:
        models: Curves of :func:`~ifdd_mmaction.evaluation.risk_coverage` by name of
            the model, at least one.
        title: Title above the figure.

    Raises:
        ValueError: If there is no model.

    Example:
        >>> from ifdd_mmaction.evaluation import risk_coverage
        >>> from ifdd_mmaction.visualization import plot_risk_coverage
        >>> found = risk_coverage([[0.9, 0.1], [0.3, 0.7], [0.4, 0.6]], [0, 0, 1])
        >>> figure = plot_risk_coverage({'IFDD': found})
        >>> figure.axes[0].get_legend().texts[0].get_text()
        'IFDD  (AURC 27.78 %)'
    """
    if not models:
        raise ValueError(f'models={dict(models)}: must not be empty')
    figure = Figure(figsize=(4.6, 3.4), layout='constrained')
    axes = figure.add_subplot()
    top = 0.0
    for i, (name, found) in enumerate(models.items()):
        # From the first clip on: there is no risk of none.
        axes.plot(
            found.coverage, found.risk, color=COLORS[i % len(COLORS)], linewidth=1.6,
            drawstyle='steps-post', label=f'{name}  (AURC {100 * found.area:.2f} %)',
        )  # fmt: skip
        top = max(top, float(found.risk.max()))
    axes.set_xlim(0, 1)
    axes.set_xticks(np.linspace(0, 1, 5), PERCENT)
    axes.set_xlabel('coverage: share of clips that are classified')
    axes.set_ylim(0, max(1.1 * top, 0.01))
    axes.yaxis.set_major_formatter(PercentFormatter(1.0, symbol=' %'))
    axes.set_ylabel('risk: share of errors among them')
    axes.grid(color=PALE, linewidth=0.5)
    axes.set_axisbelow(True)
    axes.legend(loc='best')
    if title:
        figure.suptitle(title, size=10)
    return figure
