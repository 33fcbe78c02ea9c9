"""Features of clips in two dimensions, colored by class."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import matplotlib
import numpy as np
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from .style import BLUE, GREEN, ORANGE, PALE, RED, STYLE

PANEL = 2.9  # inches
#: Okabe and Ito's; with more classes they come again, with the next marker.
COLOURS = (ORANGE, BLUE, '#888888', RED, '#CC79A7', GREEN, '#56B4E9')
MARKERS = 'o^s'


@matplotlib.rc_context(STYLE)
def plot_tsne(
    points: Mapping[str, np.ndarray],
    labels: Sequence[int] | np.ndarray,
    classes: Sequence[str],
    title: str = '',
) -> Figure:
    """Draw clips as points in their class's color, a panel for each feature.

    Args:
        points: ``(N, 2)`` positions by title of the panel.
        labels: ``(N,)`` class indexes.
        classes: ``K`` names; those without a clip are left out of the legend.
        title: Put above the panels.

    Raises:
        ValueError: If the points are not one ``(N, 2)`` for each label.

    Example:
        >>> from ifdd_mmaction.visualization import plot_tsne
        >>> points = {'$Y_D$': np.random.rand(6, 2), '$Y_S$': np.random.rand(6, 2)}
        >>> figure = plot_tsne(points, [0, 1, 0, 1, 0, 1], classes=['happy', 'sad'])
        >>> [axes.get_title() for axes in figure.axes]
        ['$Y_D$', '$Y_S$']
    """
    labels = np.asarray(labels)
    if not points or any(p.shape != (len(labels), 2) for p in points.values()):
        shapes = {name: p.shape for name, p in points.items()}
        raise ValueError(f'{len(labels)} labels and points of {shapes}: (N, 2) wanted')
    legend = 0.55 if len(classes) <= 7 else 0.8
    figure = Figure(
        figsize=(max(PANEL * len(points), 4.2), PANEL + legend), layout='constrained'
    )
    panels = figure.subplots(1, len(points), squeeze=False)[0]
    # In a fixed random order, so that no class lies over the others.
    order = np.random.default_rng(0).permutation(len(labels))
    for axes, (name, place) in zip(panels, points.items(), strict=True):
        for marker in range(-(-len(classes) // len(COLOURS))):
            own = order[labels[order] // len(COLOURS) == marker]
            axes.scatter(
                *place[own].T,
                c=[COLOURS[k % len(COLOURS)] for k in labels[own]],
                marker=MARKERS[marker % len(MARKERS)],
                s=14,
                linewidths=0.3,
                edgecolors='white',
            )
        axes.set_title(name)
        # Distances of t-SNE have no unit.
        axes.set_xticks([])
        axes.set_yticks([])
        axes.spines[:].set(visible=True, color=PALE)
        axes.set_box_aspect(1)
    handles = [
        Line2D(
            [],
            [],
            linestyle='',
            marker=MARKERS[k // len(COLOURS) % len(MARKERS)],
            color=COLOURS[k % len(COLOURS)],
            markersize=5,
            label=name,
        )
        for k, name in enumerate(classes)
        if (labels == k).any()
    ]
    figure.legend(
        handles=handles,
        loc='outside lower center',
        ncols=min(len(handles), 7 if len(points) > 1 else 4),
        handletextpad=0.1,
        columnspacing=1.2,
    )
    if title:
        figure.suptitle(title, size=10)
    return figure
