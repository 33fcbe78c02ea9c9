"""Tiny runs in the test's own process."""

from __future__ import annotations

from pathlib import Path

from mmengine.config import Config
from mmengine.runner import Runner

from tests.helpers.tools import TINY


def tiny_runner(
    work_dir: Path, data: dict, config: Path = TINY, **options: object
) -> Runner:
    """Return a runner of one epoch, without validation, on a dataset."""
    cfg = Config.fromfile(config)
    splits = dict(train_dataloader='train', test_dataloader='test')
    for loader, split in splits.items():
        pipeline = cfg[loader].dataset.pipeline
        dataset = dict(pipeline=pipeline, split=split, **data)
        if split == 'train':
            dataset.pop('bad_clips', None)
        cfg[loader].dataset = dataset
    cfg.val_dataloader = cfg.val_cfg = cfg.val_evaluator = None
    cfg.work_dir = str(work_dir)
    cfg.experiment_name = str(work_dir)  # MMEngine keeps loggers by this name
    for loader in splits:  # one iteration an epoch
        cfg[loader].batch_size = 7
    cfg.train_cfg = dict(type='EpochBasedTrainLoop', max_epochs=1)
    cfg.test_evaluator = dict(type='DFERMetric', dump=f'{work_dir}/predictions.json')
    cfg.setdefault('randomness', dict(seed=0))
    cfg.merge_from_dict(options)
    return Runner.from_cfg(cfg)


def log_of(work_dir: Path) -> str:
    """Return all that a run has logged."""
    return ''.join(path.read_text() for path in work_dir.glob('*/*.log'))
