"""The look that all figures share, and the colors of emotions."""

from __future__ import annotations

import os
from argparse import ArgumentTypeError
from collections.abc import Sequence
from io import BytesIO
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from ..fileio import write_atomic

# Okabe and Ito's colours, which colour-blind readers can tell apart.
BLUE, ORANGE, GREEN, RED = '#0072B2', '#E69F00', '#009E73', '#D55E00'
GREY, PALE = '#666666', '#C8C8C8'

#: What the figures set of Matplotlib's parameters, for the time they are drawn.
STYLE: Any = {
    # The one font that Matplotlib brings itself: the same picture on every machine.
    'font.family': 'DejaVu Sans',
    'mathtext.fontset': 'dejavusans',
    'text.usetex': False,
    'font.size': 9,
    'axes.labelsize': 9,
    'axes.titlesize': 10,
    'xtick.labelsize': 8,
    'ytick.labelsize': 8,
    'legend.fontsize': 8,
    'legend.frameon': False,
    'axes.linewidth': 0.8,
    'axes.spines.top': False,
    'axes.spines.right': False,
    'figure.facecolor': 'white',
    'savefig.facecolor': 'white',
}


#: Endings of files that a figure can be written to.
FORMATS = ('png', 'jpg', 'jpeg', 'svg', 'pdf')


def figure_path(text: str) -> Path:
    """Return a path that a figure can be written to, from a command line.

    Raises:
        argparse.ArgumentTypeError: If its ending is not of :data:`FORMATS`.

    Example:
        >>> from ifdd_mmaction.visualization import figure_path
        >>> figure_path('figures/recall.svg').name
        'recall.svg'
    """
    path = Path(text)
    if path.suffix[1:] not in FORMATS:
        raise ArgumentTypeError(f'{path}: give a file .{", .".join(FORMATS)}')
    return path


@matplotlib.rc_context(STYLE)
def save_figure(figure: Figure, path: str | os.PathLike, dpi: int = 200) -> None:
    """Write a figure, whole or not at all.

    Args:
        figure: The figure.
        path: File whose ending, of :data:`FORMATS`, tells the format.
        dpi: Pixels an inch.

    Example:
        >>> from matplotlib.figure import Figure
        >>> from ifdd_mmaction.visualization import save_figure
        >>> save_figure(Figure(), 'figures/empty.png', dpi=50)
        >>> open('figures/empty.png', 'rb').read(4)[1:]
        b'PNG'
    """
    data = BytesIO()
    kind = Path(path).suffix[1:]
    options: dict[str, Any] = {}
    if kind in ('jpg', 'jpeg'):
        # Flat areas and text show their blocks at the default of 75.
        options['pil_kwargs'] = dict(quality=85)
    figure.savefig(data, format=kind, dpi=dpi, **options)
    write_atomic(path, data.getvalue())


@matplotlib.rc_context(STYLE)
def to_image(figure: Figure) -> np.ndarray:
    """Return a figure as an image ``(H, W, 3)`` uint8 RGB, 100 pixels an inch."""
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    return np.array(canvas.buffer_rgba())[..., :3]


SKY, PINK, YELLOW, BROWN, PURPLE = '#56B4E9', '#CC79A7', '#CDBB1F', '#8C564B', '#6A3D9A'

#: By how the names that the datasets use begin.
BY_NAME = {
    'hap': ORANGE,
    'sad': BLUE,
    'neu': GREY,
    'ang': RED,
    'sur': SKY,
    'disg': GREEN,
    'fea': PINK,
    'cont': BROWN,
    'anx': PURPLE,
    'help': '#17807E',
    'disa': YELLOW,
}


def emotion_colours(classes: Sequence[str]) -> list[str]:
    """Return a colour, ``#rrggbb``, for each class.

    Emotions have theirs whatever their order; other names take what is left, in turn.
    """
    known = [_known(name) for name in classes]
    left = [c for c in BY_NAME.values() if c not in known] or list(BY_NAME.values())
    colours = []
    for colour in known:
        if colour is None:
            colour = left[0]
            left = left[1:] + left[:1]
        colours.append(colour)
    return colours


def rgb(colour: str) -> tuple[int, int, int]:
    """Return the values 0 to 255 of ``#rrggbb``."""
    return int(colour[1:3], 16), int(colour[3:5], 16), int(colour[5:7], 16)


def _known(name: str) -> str | None:
    folded = name.casefold()
    return next((c for start, c in BY_NAME.items() if folded.startswith(start)), None)
