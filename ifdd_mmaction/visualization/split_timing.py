"""Where a split reads clips, under the intensity of the emotion."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import matplotlib
import numpy as np
from matplotlib.figure import Figure

from .style import BLUE, GREY, ORANGE, PALE, STYLE

COLUMNS = 2
PANEL = 4.6, 1.75  # inches
#: Where the rows of marks are, below the curve from 0 to 1.
ROWS = {
    'dynamics': (-0.2, ORANGE),
    'context': (-0.42, BLUE),
    'interval': (-0.64, GREY),
}


class ClipTiming(NamedTuple):
    """A clip to show; all positions are in its frames, from 0.

    Attributes:
        title: Put above the panel.
        envelope: Intensity of the emotion in each frame, ``(F,)``, 0 to 1.
        dynamics: Frames that the dynamics group reads.
        context: Frames that the context group reads.
        interval: Frames that the dynamics group of the interval split reads.
    """

    title: str
    envelope: Sequence[float] | np.ndarray
    dynamics: Sequence[float] | np.ndarray
    context: Sequence[float] | np.ndarray
    interval: Sequence[float] | np.ndarray


@matplotlib.rc_context(STYLE)
def plot_split_timing(clips: Sequence[ClipTiming]) -> Figure:
    """Draw the intensity over time of each clip, and marks where the groups read it.

    Returns:
        A figure with a panel for each clip, two in a row.
    """
    if not clips:
        raise ValueError(f'{len(clips)} clips to draw: give at least one')
    rows = -(-len(clips) // COLUMNS)
    width, height = PANEL
    figure = Figure(
        figsize=(COLUMNS * width, rows * height + 0.3), layout='constrained'
    )
    panels = figure.subplots(rows, COLUMNS, squeeze=False).ravel()
    for axes in panels[len(clips) :]:
        axes.set_axis_off()
    for axes, clip in zip(panels, clips, strict=False):
        frames = np.arange(len(clip.envelope))
        axes.fill_between(frames, clip.envelope, color=PALE, alpha=0.6, linewidth=0)
        axes.plot(frames, clip.envelope, color=GREY, linewidth=1)
        for name, (y, colour) in ROWS.items():
            axes.eventplot(
                np.asarray(getattr(clip, name)),
                lineoffsets=y,
                linelengths=0.17,
                linewidths=2,
                colors=colour,
            )
        axes.set_title(clip.title, loc='left', pad=3)
        axes.set_xlim(-0.5, len(frames) - 0.5)
        axes.set_ylim(-0.78, 1.05)
        axes.set_yticks(
            [1, 0, *(y for y, _ in ROWS.values())],
            ['1', '0', *(name if name != 'interval' else 'odd' for name in ROWS)],
        )
        axes.tick_params(axis='y', length=0)
        for label, (_, colour) in zip(
            axes.get_yticklabels()[2:], ROWS.values(), strict=True
        ):
            label.set_color(colour)
    for axes in panels[max(len(clips) - COLUMNS, 0) : len(clips)]:
        axes.set_xlabel('frame of the clip')
    figure.supylabel('intensity of the emotion', size=9)
    return figure
