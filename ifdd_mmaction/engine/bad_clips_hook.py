"""Count the clips that could not be read."""

from __future__ import annotations

from typing import Any

from mmaction.registry import HOOKS
from mmengine.dist import all_gather_object
from mmengine.hooks import Hook
from mmengine.runner import Runner

from ..decoding import mark_stuck
from .batches import data_samples, is_training


@HOOKS.register_module()
class BadClipsHook(Hook):
    """Log at the end of each epoch which clips could not be read.

    The workers of the data loader name them in ``bad_clips`` of the data samples (see
    :class:`TolerantDataset`). All ranks are counted.

    Workers in which reading a video did not end are replaced after the epoch, and the
    video is not read again.

    Example:
        >>> from mmaction.registry import HOOKS
        >>> hook = HOOKS.build(dict(type='BadClipsHook'))  # in custom_hooks
        >>> 'after_train_epoch' in hook.get_triggered_stages()
        True
    """

    def __init__(self) -> None:
        # By mode: validation may run within a training epoch.
        self._bad: dict[str, list[tuple[str, str]]] = {}
        self._stuck = False

    def _before_epoch(self, runner: Runner, mode: str = 'train') -> None:
        self._bad[mode] = []

    def _after_iter(
        self,
        runner: Runner,
        batch_idx: int,
        data_batch: Any = None,
        outputs: Any = None,
        mode: str = 'train',
    ) -> None:
        for sample in data_samples(data_batch):
            self._bad[mode].extend(sample.get('bad_clips', ()))
            for path in sample.get('stuck_videos', ()):
                self._stuck |= mark_stuck(path)

    def _after_epoch(self, runner: Runner, mode: str = 'train') -> None:
        if self._stuck:
            # A thread in a worker hangs, and ends with it. Workers that persist belong
            # to this iterator; the next ones inherit what was marked.
            getattr(runner, f'{mode}_dataloader')._iterator = None
            self._stuck = False
        bad = [clip for rank in all_gather_object(self._bad[mode]) for clip in rank]
        if not bad:
            return
        errors = dict(bad)  # of each clip the last
        fate = 'replaced' if mode == 'train' else 'counted as wrong'
        lines = [f'  {name}: {error}' for name, error in sorted(errors.items())]
        # With the epoch's number: MMEngine's logger swallows a warning that repeats.
        epoch = runner.epoch if is_training(runner) else 0
        runner.logger.warning(
            f'{mode} epoch {epoch + 1}: {len(errors)} clips could not be read '
            f'and were {fate}, {len(bad)} times in all:\n' + '\n'.join(lines)
        )
