"""Draw the clips of a test with their predictions."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from mmaction.registry import HOOKS
from mmaction.structures import ActionDataSample
from mmengine.hooks import Hook
from mmengine.runner import Runner
from torch import Tensor


@HOOKS.register_module()
class ClipVisualizationHook(Hook):
    """Draw a clip in one picture: frames, true and predicted class, probabilities.

    ``--show-dir`` of ``tools/test.py``, also of MMAction2's, enables it as
    ``default_hooks.visualization``. MMAction2's ``VisualizationHook`` does not take
    clips of a ``Recognizer3D`` (mmaction2#2697).

    Args:
        enable: Whether to draw anything.
        interval: Draw every ``interval``-th clip; each process counts its own.
        show: Whether to open a window, too.
        wait_time: Seconds that the window shows a clip.
        out_dir: Folder for one PNG file per clip, named after the clip; None for the
            backends of the config's visualizer.

    Clips that could not be read are not drawn; ``BadClipsHook`` names them.

    Example:
        >>> from mmaction.registry import HOOKS
        >>> hook = HOOKS.build(
        ...     dict(type='ClipVisualizationHook', enable=True, out_dir='pictures')
        ... )  # default_hooks.visualization
        >>> hook.interval, hook.out_dir
        (1, 'pictures')
    """

    def __init__(
        self,
        enable: bool = False,
        interval: int = 1,
        show: bool = False,
        wait_time: float = 2.0,
        out_dir: str | None = None,
    ) -> None:
        self.enable = enable
        self.interval = interval
        self.show = show
        self.wait_time = wait_time
        self.out_dir = out_dir
        self._clips = 0

    def before_test_epoch(self, runner: Runner) -> None:
        """Count clips from 0."""
        self._clips = 0

    def after_test_iter(
        self,
        runner: Runner,
        batch_idx: int,
        data_batch: Any = None,
        outputs: Sequence[ActionDataSample] | None = None,
    ) -> None:
        """Draw every ``interval``-th clip."""
        if not self.enable:
            return
        for clip, sample in zip(data_batch['inputs'], outputs or (), strict=True):
            number, self._clips = self._clips, self._clips + 1
            if number % self.interval == 0 and 'bad_clips' not in sample:
                name = str(sample.get('video_id', number))
                self._draw(runner, name, frames_of(clip), sample)

    def _draw(
        self,
        runner: Runner,
        name: str,
        frames: np.ndarray,
        sample: ActionDataSample,
    ) -> None:
        # Matplotlib is loaded where pictures are drawn.
        from ..visualization import ClipPrediction, plot_prediction_strip, save_figure
        from ..visualization.style import to_image

        scores = sample.pred_score.tolist()
        known = (runner.visualizer.dataset_meta or {}).get('classes')
        classes = [str(c) for c in known or range(len(scores))]
        clip = ClipPrediction(name, int(sample.gt_label), scores, list(frames))
        figure = plot_prediction_strip([clip], classes)
        file = name.replace('/', '_')
        if self.out_dir is not None:
            save_figure(figure, Path(self.out_dir) / f'{file}.png', dpi=100)
        else:
            runner.visualizer.add_image(file, to_image(figure))
        if self.show:
            runner.visualizer.show(to_image(figure), name, self.wait_time)


def frames_of(clip: Tensor) -> np.ndarray:
    """Return the frames ``(T, H, W, 3)`` uint8 of a clip as the data loader gives it.

    Args:
        clip: ``(views, 3, T, H, W)``, of which the first view is taken, or, for a 2-D
            recognizer, ``(T, 3, H, W)``; RGB from 0 to 255.
    """
    frames = clip[0] if clip.dim() == 5 else clip.transpose(0, 1)  # (3, T, H, W)
    return frames.permute(1, 2, 3, 0).cpu().byte().numpy()
