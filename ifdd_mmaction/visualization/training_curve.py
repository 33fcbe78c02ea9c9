"""Losses, learning rate and validation scores against epochs."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator

from .style import BLUE, GREEN, GREY, ORANGE, RED, STYLE

Record = Mapping[str, Any]
SCORES = {'dfer/WAR': BLUE, 'dfer/UAR': RED}
# Epochs with more points than this are drawn without a mark on each.
MARKED_EPOCHS = 30


def is_training(record: Record) -> bool:
    """Tell whether a line of ``scalars.json`` is of training, by epochs."""
    return 'loss' in record and 'epoch' in record


def is_validation(record: Record) -> bool:
    """Tell whether a line of ``scalars.json`` is of validation with DFERMetric."""
    return any(name in record for name in SCORES)


def epochs_of(training: Sequence[Record]) -> np.ndarray:
    """Return ``(N,)`` epochs, with fractions, that training records were logged at.

    The log counts iterations through; how many make an epoch follows from the epoch
    that each of them lies in.
    """
    epochs = np.array([record['epoch'] for record in training], dtype=float)
    steps = np.array([record['step'] for record in training], dtype=float)
    length = np.ceil(steps / epochs).max(initial=1)
    # A resumed run with another batch size has another length: stay in the epoch.
    return (steps / length).clip(epochs - 1, epochs)


def smooth(x: np.ndarray, y: np.ndarray, width: float) -> np.ndarray:
    """Return ``(N,)`` means of y over windows of a width in x; x is ascending."""
    total = np.concatenate([[0.0], np.cumsum(y)])
    half = width / 2 + 1e-9
    first = np.searchsorted(x, x - half, side='left')
    last = np.searchsorted(x, x + half, side='right')
    return (total[last] - total[first]) / (last - first)


@matplotlib.rc_context(STYLE)
def plot_training_curve(records: Sequence[Record], title: str = '') -> Figure:
    """Draw what MMEngine logged of one training.

    Args:
        records: Lines of ``scalars.json`` in order of time. Training: ``epoch`` from
            1, ``step`` in iterations, ``lr``, ``loss``, ``loss_cls``,
            ``loss_context``. Validation: ``step`` in epochs, ``dfer/WAR``,
            ``dfer/UAR`` as fractions. Other lines and absent keys are left out.
        title: Put above the panels.

    Returns:
        A figure with one panel each for the loss, the context loss (which is orders
        of magnitude smaller), the validation scores and the learning rate, as far as
        there are records of them; x is in epochs.
    """
    training = [record for record in records if is_training(record)]
    validation = [record for record in records if is_validation(record)]
    if not training and not validation:
        raise ValueError('no record of training or validation')
    columns: list[list[str]] = [[], []]
    if training:
        columns[0].append('loss')
        if any('loss_context' in record for record in training):
            columns[0].append('context')
    if validation:
        columns[1].append('validation')
    if any('lr' in record for record in training):
        columns[1].append('lr')
    columns = [column for column in columns if column]
    height = max(map(len, columns))
    # A panel alone in its column takes the whole of it.
    mosaic = [
        [column[min(row, len(column) - 1)] for column in columns]
        for row in range(height)
    ]
    figure = Figure(
        figsize=(4.6 * len(columns), 0.4 + 2.6 * height), layout='constrained'
    )
    panels: dict[str, Axes] = figure.subplot_mosaic(mosaic)
    x = epochs_of(training)
    if 'loss' in panels:
        _plot_losses(panels['loss'], x, training, {'loss': BLUE, 'loss_cls': ORANGE})
        panels['loss'].set_ylabel('Training loss')
    if 'context' in panels:
        _plot_losses(panels['context'], x, training, {'loss_context': GREEN})
        _label_scientific(panels['context'], 'Context loss')
    if 'lr' in panels:
        rates = [record.get('lr', math.nan) for record in training]
        panels['lr'].plot(x, rates, color=GREY, label='lr', marker=_mark(len(x)))
        _label_scientific(panels['lr'], 'Learning rate')
    if 'validation' in panels:
        _plot_scores(panels['validation'], validation)
    end = max([*x, *(record['step'] for record in validation), 1])
    for axes in panels.values():
        axes.set_xlim(-0.02 * end, 1.02 * end)
        axes.xaxis.set_major_locator(MaxNLocator(integer=True, nbins=8))
        axes.set_xlabel('Epoch')
        axes.grid(color='#E4E4E4', linewidth=0.6)
        axes.set_axisbelow(True)
        if axes.get_legend_handles_labels()[0]:
            # Above the panel: the place where no curve can run under it.
            axes.legend(
                loc='lower left',
                bbox_to_anchor=(0, 1),
                borderaxespad=0.2,
                handlelength=1.6,
                ncols=1 if axes is panels.get('validation') else 3,
            )
    if title:
        figure.suptitle(title, size=10)
    return figure


def _plot_losses(
    axes: Axes, x: np.ndarray, training: Sequence[Record], colours: Mapping[str, str]
) -> None:
    for name, colour in colours.items():
        y = np.array([record.get(name, math.nan) for record in training], dtype=float)
        # A loss that diverged ends its line; it must not blank the mean before it.
        good = np.isfinite(y)
        if not good.any():
            continue
        # Where one loss lies on another both are seen.
        line = (0, (4, 2)) if name == 'loss_cls' else 'solid'
        axes.plot(x, np.where(good, y, np.nan), color=colour, alpha=0.25, linewidth=0.8)
        axes.plot(
            x[good],
            smooth(x[good], y[good], width=1),
            color=colour,
            linestyle=line,
            linewidth=1.8,
            marker=_mark(good.sum()),
            label=f'{name} (epoch mean)',
        )


def _plot_scores(axes: Axes, validation: Sequence[Record]) -> None:
    for name, colour in SCORES.items():
        found = [record for record in validation if name in record]
        if not found:
            continue
        epochs = np.array([record['step'] for record in found])
        scores = np.array([record[name] for record in found], dtype=float) * 100
        best, last = int(np.argmax(scores)), len(scores) - 1
        axes.plot(
            epochs,
            scores,
            color=colour,
            marker='.' if len(found) <= MARKED_EPOCHS else None,
            label=(
                f'{name.removeprefix("dfer/")}: '
                f'best {scores[best]:.2f}% (epoch {epochs[best]}), '
                f'last {scores[last]:.2f}% (epoch {epochs[last]})'
            ),
        )
        axes.plot(
            epochs[best],
            scores[best],
            marker='*',
            markersize=13,
            color=colour,
            markeredgecolor='white',
            zorder=4,
        )
        axes.plot(
            epochs[last],
            scores[last],
            marker='o',
            markersize=6,
            color='white',
            markeredgecolor=colour,
            markeredgewidth=1.5,
            zorder=3,
        )
    axes.set_ylabel('Validation score (%)')


def _mark(points: int) -> str | None:
    """Return the marker without which a single point would be no picture."""
    return '.' if points <= MARKED_EPOCHS else None


def _label_scientific(axes: Axes, label: str) -> None:
    """Put a power of ten into the label: above the axis it would hit the legend."""
    top = np.abs(axes.dataLim.intervaly).max()
    power = math.floor(math.log10(top)) if np.isfinite(top) and top > 0 else 0
    if abs(power) > 1:
        label += rf' ($\times 10^{{{power}}}$)'
        axes.yaxis.set_major_formatter(FuncFormatter(lambda y, _: f'{y / 10**power:g}'))
    axes.set_ylabel(label)
