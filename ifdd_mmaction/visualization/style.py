"""Style of all figures, colors of expressions, and saving of figures."""

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

# The palette of Okabe and Ito, which color-blind readers can distinguish.
BLUE, ORANGE, GREEN, RED = '#0072B2', '#E69F00', '#009E73', '#D55E00'
GRAY, PALE = '#666666', '#C8C8C8'

#: Parameters of Matplotlib that are set while a figure is drawn.
STYLE: Any = {
    # Part of Matplotlib: the same font on every machine.
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


#: File name extensions of figures.
FORMATS = ('png', 'jpg', 'jpeg', 'svg', 'pdf')


def figure_path(text: str) -> Path:
    """Check the path of a figure given on a command line.

    Raises:
        argparse.ArgumentTypeError: If its extension is not one of :data:`FORMATS`.

    Example:
        >>> from ifdd_mmaction.visualization import figure_path
        >>> figure_path('figures/recall.svg').name
        'recall.svg'
    """
    path = Path(text)
    if path.suffix[1:] not in FORMATS:
        raise ArgumentTypeError(
            f'{path}: the extension must be one of .{", .".join(FORMATS)}'
        )
    return path


@matplotlib.rc_context(STYLE)
def save_figure(figure: Figure, path: str | os.PathLike, dpi: int = 200) -> None:
    """Write a figure to a file atomically.

    Args:
        figure: The figure.
        path: The file; its extension, one of :data:`FORMATS`, determines the format.
        dpi: Pixels per inch.

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
        # The default quality of 75 shows artifacts in flat areas and text.
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

#: Colors by prefix of the class names of the datasets.
BY_NAME = {
    'hap': ORANGE,
    'sad': BLUE,
    'neu': GRAY,
    'ang': RED,
    'sur': SKY,
    'disg': GREEN,
    'fea': PINK,
    'cont': BROWN,
    'anx': PURPLE,
    'help': '#17807E',
    'disa': YELLOW,
}


def emotion_colors(classes: Sequence[str]) -> list[str]:
    """Return a color ``#rrggbb`` for each class.

    Known expressions have fixed colors; other names get the unused colors in turn.
    """
    known = [_known(name) for name in classes]
    left = [c for c in BY_NAME.values() if c not in known] or list(BY_NAME.values())
    colors = []
    for color in known:
        if color is None:
            color = left[0]
            left = left[1:] + left[:1]
        colors.append(color)
    return colors


def rgb(color: str) -> tuple[int, int, int]:
    """Return the red, green and blue value, 0 to 255, of ``#rrggbb``."""
    return int(color[1:3], 16), int(color[3:5], 16), int(color[5:7], 16)


def _known(name: str) -> str | None:
    folded = name.casefold()
    return next((c for start, c in BY_NAME.items() if folded.startswith(start)), None)
