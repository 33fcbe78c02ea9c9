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
# Color, dashes and size of marks: on a balanced test set one lies on the other.
SCORES: dict[str, tuple[str, str, float]] = {
    'dfer/WAR': (BLUE, 'solid', 1.0),
    'dfer/UAR': (RED, 'dashed', 0.6),
}
# A line of more points than this is drawn without a mark on each.
MARKED_POINTS = 12


def is_training(record: Record) -> bool:
    """Tell whether a line of ``scalars.json`` is of training by epochs."""
    return 'loss' in record and 'epoch' in record


def is_validation(record: Record) -> bool:
    """Tell whether a line of ``scalars.json`` is of validation with DFERMetric.

    Validation outside of training is logged as of epoch 0: it is no part of a curve.
    """
    return any(name in record for name in SCORES) and record['step'] > 0


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
    """Draw the losses, scores and learning rate that MMEngine logged.

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

    Raises:
        ValueError: If no record is of training or validation.

    Example:
        >>> from ifdd_mmaction.visualization import plot_training_curve
        >>> training = [
        ...     dict(epoch=epoch, step=10 * epoch, loss=2 / epoch, lr=0.01)
        ...     for epoch in (1, 2, 3)
        ... ]
        >>> validation = [{'step': 3, 'dfer/WAR': 0.75, 'dfer/UAR': 0.5}]
        >>> figure = plot_training_curve(training + validation)
        >>> [axes.get_ylabel() for axes in figure.axes[:2]]
        ['Training loss', 'Validation score (%)']
    """
    training = [record for record in records if is_training(record)]
    validation = [record for record in records if is_validation(record)]
    if not training and not validation:
        raise ValueError(
            f'none of {len(records)} records is of training or validation: give those '
            'of vis_data/scalars.json'
        )
    present = dict(
        loss=bool(training),
        validation=bool(validation),
        context=any('loss_context' in record for record in training),
        lr=any('lr' in record for record in training),
    )
    mosaic: Any = _arrange([name for name, there in present.items() if there])
    figure = Figure(
        figsize=(5 * len(mosaic[0]), 0.4 + 2.6 * len(mosaic)), layout='constrained'
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
        panels['lr'].plot(x, rates, color=GREY, marker=_mark(len(x)))
        _label_scientific(panels['lr'], 'Learning rate')
    if 'validation' in panels:
        _plot_scores(panels['validation'], validation)
    end = max([*x, *(record['step'] for record in validation), 1])
    for axes in panels.values():
        axes.set_xlim(-0.02 * end, 1.02 * end)
        axes.xaxis.set_major_locator(
            MaxNLocator(nbins=8, integer=True, steps=[1, 2, 5, 10])
        )
        axes.set_xlabel('Epoch')
        axes.grid(color='#E4E4E4', linewidth=0.6)
        axes.set_axisbelow(True)
        if axes.get_legend_handles_labels()[0]:
            # Above the panel: the place where no curve can run under it.
            axes.legend(
                loc='lower left',
                bbox_to_anchor=(0, 1),
                borderaxespad=0.2,
                # Long enough for dashes with a mark on them.
                handlelength=2,
                columnspacing=1,
                ncols=1 if axes is panels.get('validation') else 3,
            )
    if title:
        figure.suptitle(title, size=10)
    return figure


def _arrange(names: list[str]) -> list[list[str]]:
    """Return rows of panels; of three, the first takes a column to itself."""
    if len(names) == 3:
        return [[names[0], names[1]], [names[0], names[2]]]
    return [names[i : i + 2] for i in range(0, len(names), 2)]


def _plot_losses(
    axes: Axes, x: np.ndarray, training: Sequence[Record], colours: Mapping[str, str]
) -> None:
    for name, colour in colours.items():
        y = np.array([record.get(name, math.nan) for record in training], dtype=float)
        # A loss that diverged ends its line; it must not blank the mean before it.
        good = np.isfinite(y)
        if not good.any():
            continue
        # Where one loss lies on another both means are seen, and one haze is enough.
        if name != 'loss_cls':
            axes.plot(
                x,
                np.where(good, y, np.nan),
                color=colour,
                alpha=0.25,
                lw=0.8,
                label='as logged',
            )
        axes.plot(
            x[good],
            smooth(x[good], y[good], width=1),
            color=colour,
            linestyle='dashed' if name == 'loss_cls' else 'solid',
            lw=1.8,
            marker=_mark(good.sum()),
            label=f'{name}, epoch mean',
        )


def _plot_scores(axes: Axes, validation: Sequence[Record]) -> None:
    for name, (colour, line, size) in SCORES.items():
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
            linestyle=line,
            marker=_mark(len(found)),
            label=(
                f'{name.removeprefix("dfer/")}: '
                f'★ best {scores[best]:.2f}% (epoch {epochs[best]}), '
                f'○ last {scores[last]:.2f}% (epoch {epochs[last]})'
            ),
        )
        axes.plot(
            epochs[best],
            scores[best],
            marker='*',
            markersize=11 * size,
            markeredgewidth=0,
            color=colour,
            clip_on=False,
            zorder=4,
        )
        axes.plot(
            epochs[last],
            scores[last],
            marker='o',
            markersize=11 * size,
            markerfacecolor='none',
            markeredgecolor=colour,
            markeredgewidth=1.5,
            clip_on=False,
            zorder=5,
        )
    axes.set_ylabel('Validation score (%)')


def _mark(points: int) -> str | None:
    """Return the marker without which a single point would be no picture."""
    return '.' if points <= MARKED_POINTS else None


def _label_scientific(axes: Axes, label: str) -> None:
    """Put a power of ten into the label: above the axis it would hit the legend."""
    top = np.abs(axes.dataLim.intervaly).max()
    power = math.floor(math.log10(top)) if np.isfinite(top) and top > 0 else 0
    if abs(power) > 1:
        label += rf' ($\times 10^{{{power}}}$)'
        axes.yaxis.set_major_formatter(FuncFormatter(lambda y, _: f'{y / 10**power:g}'))
    axes.set_ylabel(label)
