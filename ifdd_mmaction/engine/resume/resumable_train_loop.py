"""Epochs that can be interrupted anywhere and resumed to the bit."""

from __future__ import annotations

import gc
from typing import Any

from mmaction.registry import LOOPS
from mmengine.runner import EpochBasedTrainLoop, Runner
from torch import nn

from ...datasets.checks import check_batches
from ...datasets.samplers import ResumableBatchSampler
from ...randomness import seed_generators
from .preemption import Preemption

#: Separates the seeds of iterations from those of clips.
ITERATION = 1
#: Minimum number of values of each logged scalar kept in memory; logs have all.
HISTORY = 10_000


@LOOPS.register_module()
class ResumableTrainLoop(EpochBasedTrainLoop):
    """MMEngine's epoch-based loop, resumable to the bit.

    MMEngine resumes at the beginning of an epoch, with generators seeded as at the
    beginning of training (mmengine#1205). Here an epoch resumes with the batch after
    the last one, without loading those before it. All random numbers are a function of
    the seed, the epoch and the iteration: in the model and its data preprocessor also
    of the rank, for a clip of its position in the epoch instead of the iteration, so
    that the number of workers changes nothing. :class:`ResumableCheckpointHook` saves
    the position.

    Args:
        runner: The runner.
        dataloader: Config of the data loader, without ``batch_sampler``.
        kwargs: Of ``EpochBasedTrainLoop``.

    Raises:
        ValueError: If the data loader is not a config, or has a ``batch_sampler``.
        DatasetError: If there are too few clips for one batch.

    Example:
        >>> from mmengine.runner import Runner
        >>> clips = dict(type='AnnotationFileDataset', ann_file='clips.csv')
        >>> sampler = dict(type='DefaultSampler', shuffle=True)
        >>> runner = Runner(
        ...     model=torch.nn.Linear(2, 2),
        ...     work_dir='work_dir',
        ...     train_dataloader=dict(batch_size=1, sampler=sampler, dataset=clips),
        ...     train_cfg=dict(type='ResumableTrainLoop', max_epochs=2),
        ...     optim_wrapper=dict(optimizer=dict(type='SGD', lr=0.1)),
        ...     default_scope='mmaction',
        ...     log_level='ERROR',
        ... )
        >>> len(runner.train_loop.dataloader), runner.train_loop.batches_done
        (2, 0)
    """

    def __init__(self, runner: Runner, dataloader: Any, **kwargs: Any) -> None:
        if not isinstance(dataloader, dict) or dataloader.get('batch_sampler'):
            raise ValueError(
                'ResumableTrainLoop makes the batches itself: give the data loader '
                f'({type(dataloader).__name__}) as a config without batch_sampler, or '
                "use 'EpochBasedTrainLoop'"
            )
        dataloader = dict(dataloader)
        # The class itself: its name is registered in the scope of MMAction2 only.
        dataloader['batch_sampler'] = dict(
            type=ResumableBatchSampler, drop_last=dataloader.pop('drop_last', False)
        )
        super().__init__(runner, dataloader, **kwargs)
        if not len(self.dataloader):
            settings = runner.cfg.get('train_dataloader') or {}
            clips = len(self.dataloader.dataset)
            check_batches('train_dataloader', settings, clips, runner.world_size)
        #: Batches of the current epoch that are done; stored in checkpoints.
        self.batches_done = 0
        self.preemption = Preemption()

    def run(self) -> nn.Module:
        """Train, from the position of the checkpoint if there is one."""
        # Garbage collection writes to every object. Workers of the data loaders share
        # the memory of this process until they write to it, so that collecting would
        # copy all of it. Freeze what they inherit.
        gc.freeze()
        try:
            return self._run()
        finally:
            gc.unfreeze()

    def _run(self) -> nn.Module:
        with self.preemption:
            self.runner.call_hook('before_train')
            # The run may have ended between an epoch and its validation.
            validated = self.runner.message_hub.runtime_info.get(
                'last_validated_epoch', 0
            )
            if self._epoch > validated and not self.batches_done:
                self._validate()
            while self._epoch < self._max_epochs and not self.stop_training:
                self.run_epoch()
                self._validate()
            self.runner.call_hook('after_train')
        return self.runner.model

    def run_epoch(self) -> None:
        """Run the batches of an epoch that are not done yet."""
        runner, sampler = self.runner, self.dataloader.batch_sampler
        seed = self._shared_seed()
        # The sampler was built before the seed was read from the checkpoint.
        if hasattr(sampler.sampler, 'seed'):
            sampler.sampler.seed = seed
        self._bound_history()
        runner.call_hook('before_train_epoch')
        runner.model.train()
        sampler.begin_epoch(seed, self._epoch, first=self.batches_done)
        for idx, batch in enumerate(self.dataloader, start=self.batches_done):
            seed_generators(seed, self._epoch, idx, sampler.rank, ITERATION)
            self.batches_done = idx + 1
            self.run_iter(idx, batch)
        self.batches_done = 0
        runner.call_hook('after_train_epoch')
        self._epoch += 1

    def _bound_history(self) -> None:
        # MMEngine keeps the last million values of each scalar and copies them at every
        # iteration: 36 MiB, and 20 ms, after the 194,000 of a training on FERV39k.
        processor = self.runner.log_processor
        windows = [cfg.get('window_size') for cfg in processor.custom_cfg]
        windows += [processor.window_size, len(self.dataloader), HISTORY]
        if 'global' in windows:
            return
        keep = max(window for window in windows if isinstance(window, int))
        for history in self.runner.message_hub.log_scalars.values():
            history.max_length = keep

    def _shared_seed(self) -> int:
        """Return the seed that all ranks have in common."""
        if self.runner._randomness_cfg.get('diff_rank_seed'):
            return self.runner.seed - self.runner.rank
        return self.runner.seed

    def _validate(self) -> None:
        self._decide_current_val_interval()
        if (
            self.runner.val_loop is not None
            and self._epoch >= self.val_begin
            and (
                self._epoch % self.val_interval == 0 or self._epoch == self._max_epochs
            )
        ):
            self.runner.val_loop.run()
