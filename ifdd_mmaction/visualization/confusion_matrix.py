"""The confusion matrix with the scores of DFER."""

from __future__ import annotations

from collections.abc import Sequence

import matplotlib
import numpy as np
from matplotlib.figure import Figure

from ..evaluation import dfer_scores
from .style import GREY, STYLE

CELL = 0.64  # inches
LETTER = 0.085  # inches, the usual width at 9 points
GAP = 0.25  # cells between the matrix and the column of recalls


@matplotlib.rc_context(STYLE)
def plot_confusion_matrix(
    confusion: Sequence[Sequence[int]] | np.ndarray,
    classes: Sequence[str],
    title: str = '',
) -> Figure:
    """Draw a confusion matrix, normalized by row, beside the recall of each class.

    Args:
        confusion: ``(K, K)`` counts, rows are labels and columns predictions.
        classes: ``K`` names.
        title: Put above the scores.

    Returns:
        A figure whose cells hold per cent of the row and count; the row of a class
        that does not occur is gray, its recall a dash.

    Raises:
        ValueError: If the matrix is not ``(K, K)`` or counts no clip.

    Example:
        >>> from ifdd_mmaction.visualization import plot_confusion_matrix
        >>> figure = plot_confusion_matrix([[8, 0], [1, 1]], classes=['happy', 'sad'])
        >>> figure.savefig('confusion_matrix.png')
    """
    counts = np.asarray(confusion, dtype=np.int64)
    size = len(classes)
    if counts.shape != (size, size) or not counts.any():
        raise ValueError(
            f'{size} classes and a confusion matrix of shape {counts.shape} with '
            f'{counts.sum()} clips: (K, K) and at least one clip are wanted'
        )
    scores = dfer_scores(counts)
    support = counts.sum(axis=1)
    shares = np.full(counts.shape, np.nan)
    np.divide(counts, support[:, None], out=shares, where=support[:, None] > 0)

    longest = max(map(len, classes))
    slanted = longest * LETTER * 1.1 > CELL
    side = size * CELL
    figure = Figure(
        figsize=(
            max(side + CELL * (1 + GAP) + longest * LETTER + 0.5, 5.2),
            side + (longest * LETTER * 0.65 if slanted else 0.2) + 0.85,
        ),
        layout='constrained',
    )
    axes = figure.add_subplot(aspect='equal')
    edges = np.arange(size + 1) - 0.5
    colours = matplotlib.colormaps['Blues'].with_extremes(bad='#EEEEEE')
    axes.pcolormesh(
        edges,
        edges,
        np.ma.masked_invalid(shares),
        cmap=colours,
        vmin=0,
        vmax=1,
        edgecolors='white',
        linewidth=1,
    )
    for row, column in np.ndindex(size, size):
        count = counts[row, column]
        if not support[row]:
            continue
        if not count:
            axes.text(column, row, '0', ha='center', va='center', color=GREY, size=7)
            continue
        ink = _ink(colours(shares[row, column]))
        axes.text(
            column,
            row - 0.13,
            f'{shares[row, column]:.1%}',
            ha='center',
            va='center',
            color=ink,
            size=8.5,
        )
        axes.text(
            column, row + 0.2, f'{count}', ha='center', va='center', color=ink, size=7
        )
    beside = size + GAP
    for row, recall in enumerate(scores['recall']):
        axes.text(
            beside,
            row - 0.13,
            f'{recall:.1%}' if support[row] else '-',
            ha='center',
            va='center',
            weight='bold',
            size=8.5,
        )
        axes.text(
            beside,
            row + 0.2,
            f'n = {support[row]}',
            ha='center',
            va='center',
            color=GREY,
            size=7,
        )
    axes.set_xlim(-0.5, beside + 0.5)
    axes.set_ylim(size - 0.5, -0.5)
    axes.set_xticks([*range(size), beside], [*classes, 'recall'])
    axes.get_xticklabels()[-1].set_fontweight('bold')
    if slanted:
        for label in axes.get_xticklabels()[:-1]:
            label.set(rotation=40, ha='right', rotation_mode='anchor')
    axes.set_yticks(range(size), classes)
    axes.tick_params(length=0, labelsize=9)
    axes.spines[:].set_visible(False)
    # Under the matrix, not under matrix and recalls.
    axes.set_xlabel('Predicted class', x=size / 2 / (size + GAP + 1))
    axes.set_ylabel('True class')
    line = (
        f'WAR {scores["WAR"]:.2%}    UAR {scores["UAR"]:.2%}    '
        f'macro-F1 {scores["F1"]:.2%}    ({counts.sum()} clips)'
    )
    axes.set_title(f'{title}\n{line}' if title else line, pad=10)
    return figure


def _ink(colour: tuple[float, float, float, float]) -> str:
    """Return what is read best on an RGBA color, by the contrast of WCAG 2."""
    rgb = np.asarray(colour[:3])
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    return 'black' if linear @ (0.2126, 0.7152, 0.0722) > 0.179 else 'white'
