"""Scores of models against the number of bad frames, and which frames they read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from .model_marks import in_percent, model_mark, name_models
from .style import GRAY, STYLE

#: Inches, and panels in a row.
PANEL, COLUMNS = (2.3, 1.9), 4
#: Points that an axis of differences shows at least, up and down.
LEAST = 5

Report = Mapping[str, Any]


@matplotlib.rc_context(STYLE)
def plot_bad_frames(
    models: Mapping[str, Report], num_classes: int, score: str = 'UAR'
) -> Figure:
    """Draw a score of models against the number of bad frames, a panel for each kind.

    Args:
        models: Reports of :func:`~ifdd_mmaction.analysis.temporal_reliance` by name.
        num_classes: Classes that have clips; chance is one of them.
        score: ``'UAR'`` or ``'WAR'``.

    Raises:
        ValueError: If no model has a kind.

    Example:
        >>> from ifdd_mmaction.visualization import plot_bad_frames
        >>> row = dict(UAR=dict(mean=0.7, low=0.6, high=0.8))
        >>> report = dict(
        ...     num_frames=16, orders={'in order': row}, noisy=dict(black={4: row}))
        >>> plot_bad_frames({'ViT': report}, 7).axes[0].get_title()
        'black'
    """
    panels, figure = _panels(models, 'noisy')
    for kind, axes in panels.items():
        for i, (name, report) in enumerate(models.items()):
            found = [report['orders']['in order'], *report['noisy'][kind].values()]
            x = _shares(report, kind)
            _curve(axes, x, [row[score] for row in found], i, name)
        axes.axhline(100 / num_classes, color=GRAY, linewidth=0.8, linestyle=':')
    _finish(figure, panels, models, f'{score} (%)')
    name_models(figure, next(iter(panels.values())))
    return figure


@matplotlib.rc_context(STYLE)
def plot_bad_frames_read(models: Mapping[str, Report]) -> Figure:
    """Draw by how much the dynamics groups read bad frames more than before.

    That is the share of bad frames among those that are read, minus the share at the
    frames that are read in the clip without bad frames: below 0, they are avoided.

    Args:
        models: Reports of :func:`~ifdd_mmaction.analysis.temporal_reliance`, of models
            whose neck splits a clip, by name.

    Raises:
        ValueError: If no model has a kind.

    Example:
        >>> from ifdd_mmaction.visualization import plot_bad_frames_read
        >>> share = dict(dynamics_moved=dict(mean=-0.2, low=-0.3, high=-0.1))
        >>> parts = dict(noisy=dict(black={4: {}}), indexes=dict(black={4: share}))
        >>> report = dict(parts, num_frames=16)
        >>> len(plot_bad_frames_read({'ViT': report}).axes)
        1
    """
    panels, figure = _panels(models, 'indexes')
    for kind, axes in panels.items():
        for i, (name, report) in enumerate(models.items()):
            rows = report['indexes'][kind].values()
            found = [dict.fromkeys(('mean', 'low', 'high'), 0.0)]
            found += [row['dynamics_moved'] for row in rows]
            _curve(axes, _shares(report, kind), found, i, name)
        axes.axhline(0, color=GRAY, linewidth=0.8, linestyle=':')
        low, high = axes.get_ylim()
        axes.set_ylim(min(low, -LEAST), max(high, LEAST))
    _finish(figure, panels, models, 'bad frames read - before (points)')
    name_models(figure, next(iter(panels.values())), 'the same frames')
    return figure


def _shares(report: Report, kind: str) -> list[float]:
    """Return the bad frames of each point, in percent of the clip."""
    counts = [0, *(int(k) for k in report['noisy'][kind])]
    return [100 * k / report['num_frames'] for k in counts]


def _panels(models: Mapping[str, Report], part: str) -> tuple[dict[str, Axes], Figure]:
    kinds = list(next(iter(models.values()))[part]) if models else []
    if not kinds:
        raise ValueError(f'models={list(models)}: none has bad frames')
    rows = -(-len(kinds) // COLUMNS)
    columns = min(COLUMNS, len(kinds))
    size = (PANEL[0] * columns + 0.3, PANEL[1] * rows + 0.2 + 0.2 * len(models))
    figure = Figure(figsize=size, layout='constrained')
    grid = figure.subplots(rows, columns, sharex=True, sharey=True, squeeze=False)
    cells = list(grid.flat)
    for axes in cells[len(kinds) :]:
        axes.remove()
    panels = dict(zip(kinds, cells, strict=False))
    for kind, axes in panels.items():
        axes.set_title(kind.replace('_', ' '))
    return panels, figure


def _finish(
    figure: Figure, panels: Mapping[str, Axes], models: Mapping[str, Report], y: str
) -> None:
    """Label the axes: numbers of frames, where all clips have as many."""
    lengths = {report['num_frames'] for report in models.values()}
    below = list(panels.values())[-COLUMNS:]
    for axes in panels.values():
        axes.tick_params(labelbottom=axes in below)
        if len(lengths) == 1:
            (length,) = lengths
            report = next(iter(models.values()))
            counts = [0, *map(int, next(iter(report['noisy'].values())))]
            axes.set_xticks([100 * k / length for k in counts], map(str, counts))
    last = f'bad frames of {lengths.pop()}' if len(lengths) == 1 else 'bad frames (%)'
    figure.supxlabel(last, size=9)
    figure.supylabel(y, size=9)


def _curve(
    axes: Axes, x: Sequence[float], found: Sequence[Mapping[str, float]], i: int,
    name: str,
) -> None:  # fmt: skip
    mean, low, high = in_percent(found)
    color, marker = model_mark(i)
    axes.fill_between(x, low, high, color=color, alpha=0.15, linewidth=0)
    axes.plot(x, mean, color=color, linewidth=1.2, marker=marker, markersize=3.5,
              label=name)  # fmt: skip
