"""Class activation maps on the frames sampled by context and dynamics."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import cv2
import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from .style import BLUE, GRAY, GREEN, ORANGE, RED, STYLE

# Inches.
FRAME, SPACE, NAMES, GAP, HEADER, MARGIN = 0.85, 0.03, 1.1, 0.3, 0.32, 0.1
CAPTION, HEADING = 0.15, 1.95
#: Opacity of the strongest activation.
MAX_ALPHA = 0.75


class CamRow(NamedTuple):
    """A clip to show.

    Attributes:
        name: Name of the clip.
        target: Class whose score the maps explain.
        predicted: Predicted class, with its probability.
        context: Frames sampled by Y_S, ``(n, H, W, 3)`` uint8 RGB.
        context_cam: Map of each frame, ``(n, h, w)``; None if the score does not depend
            on the context.
        context_at: Position of each frame in the clip.
        dynamics: Frames sampled by Y_D, ``(n, H, W, 3)`` uint8 RGB.
        dynamics_cam: Map of each frame, ``(n, h, w)``.
        dynamics_at: Position of each frame in the clip.
    """

    name: str
    target: str
    predicted: tuple[str, float]
    context: np.ndarray
    context_cam: np.ndarray | None
    context_at: Sequence[float]
    dynamics: np.ndarray
    dynamics_cam: np.ndarray
    dynamics_at: Sequence[float]


@matplotlib.rc_context(STYLE)
def plot_cam_overlay(rows: Sequence[CamRow], title: str = '') -> Figure:
    """Draw the maps on the frames, one clip per row.

    The maps of each group of a clip are scaled to their maximum; 0 is transparent.

    Raises:
        ValueError: If ``rows`` is empty.

    Example:
        >>> from ifdd_mmaction.visualization import CamRow, plot_cam_overlay
        >>> frames, cam = np.zeros((4, 32, 32, 3), np.uint8), np.random.rand(4, 7, 7)
        >>> row = CamRow(
        ...     'anna', 'happy', ('happy', 0.9),
        ...     context=frames, context_cam=cam, context_at=[0, 2, 4, 6],
        ...     dynamics=frames, dynamics_cam=cam, dynamics_at=[1, 3, 5, 7],
        ... )
        >>> plot_cam_overlay([row]).savefig('grad_cam.png')
    """
    if not rows:
        raise ValueError(f'rows={list(rows)}: must not be empty')
    count = max(len(row.dynamics) for row in rows)
    # A heading is wider than two frames.
    block = max(count * (FRAME + SPACE), HEADING)
    width = NAMES + 2 * block + GAP + 2 * MARGIN
    top = HEADER + (0.3 if title else 0)
    row_height = FRAME + CAPTION + 0.05
    height = top + row_height * len(rows) + MARGIN
    figure = Figure(figsize=(width, height))
    lefts = MARGIN + NAMES, MARGIN + NAMES + block + GAP
    headings = (
        (lefts[0], '$Y_S$, fine context', BLUE),
        (lefts[1], '$Y_D$, disentangled dynamics', ORANGE),
    )
    for x, text, color in headings:
        figure.text(
            x / width,
            1 - (top - 0.08) / height,
            text,
            color=color,
            weight='bold',
            va='bottom',
        )
    if title:
        figure.text(0.5, 1 - 0.1 / height, title, ha='center', va='top', size=10)
    for i, row in enumerate(rows):
        y = top + i * row_height
        bounds = MARGIN / width, 1 - (y + FRAME) / height, NAMES / width, FRAME / height
        _write_row(figure.add_axes(bounds), row)
        groups = (
            (row.context, row.context_cam, row.context_at),
            (row.dynamics, row.dynamics_cam, row.dynamics_at),
        )
        for left, (frames, cam, numbers) in zip(lefts, groups, strict=True):
            images = overlay(frames, cam) if cam is not None else frames
            for k, (image, number) in enumerate(zip(images, numbers, strict=True)):
                x = left + k * (FRAME + SPACE)
                axes = figure.add_axes(
                    (
                        x / width,
                        1 - (y + FRAME) / height,
                        FRAME / width,
                        FRAME / height,
                    )
                )
                axes.imshow(image)
                axes.set_axis_off()
                figure.text(
                    (x + FRAME / 2) / width,
                    1 - (y + FRAME + 0.02) / height,
                    f'frame {number:.1f}',
                    color=GRAY,
                    size=6,
                    ha='center',
                    va='top',
                )
    return figure


def overlay(frames: np.ndarray, cam: np.ndarray) -> np.ndarray:
    """Return frames ``(n, H, W, 3)`` uint8 with maps ``(n, h, w)`` overlaid."""
    height, width = frames.shape[1:3]
    scaled = cam / max(float(cam.max()), 1e-12)
    large = np.stack(
        [cv2.resize(m.astype(np.float32), (width, height)) for m in scaled]
    )  # (n, H, W)
    colors = matplotlib.colormaps['inferno'](large)[..., :3]
    alpha = MAX_ALPHA * large[..., None] ** 0.7
    gray = frames.mean(axis=3, keepdims=True) / 255
    return np.rint(255 * ((1 - alpha) * gray + alpha * colors)).astype(np.uint8)


def _write_row(axes: Axes, row: CamRow) -> None:
    axes.set_axis_off()
    predicted, share = row.predicted
    right = predicted == row.target
    lines = (
        (13, row.target, 'black', 9, 'bold'),
        (
            -1,
            f'{"✓" if right else "✗"} {predicted} {share:.0%}',
            GREEN if right else RED,
            8,
            'normal',
        ),
        (-14, f'clip {row.name}', GRAY, 7, 'normal'),
    )
    for above, text, color, size, weight in lines:
        axes.annotate(
            text,
            (0, 0.5),
            (0, above),
            xycoords='axes fraction',
            textcoords='offset points',
            color=color,
            weight=weight,
            size=size,
        )
