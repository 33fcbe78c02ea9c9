"""Train and test a recognizer: what ``tools/train.py`` and ``tools/test.py`` call."""

from __future__ import annotations

import copy
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from mmengine.config import Config
from mmengine.registry import RUNNERS, init_default_scope
from mmengine.runner import Runner

from ..datasets import check_datasets, set_data_root, set_fold
from ..datasets.folds import LOADERS
from ..engine import (
    BegunHook,
    TemperatureHook,
    check_checkpoint,
    check_clip_shapes,
    check_decoders,
    config_errors,
    latest_checkpoint,
    load_config,
)
from ..errors import UNWRITABLE, InputError
from .zoo import get_config

#: Suffixes of the predictions that :func:`test` writes.
DUMPS = ('.json', '.pkl', '.pickle')


def train(
    config: str | Path | Config,
    *,
    work_dir: str | Path | None = None,
    fold: int | None = None,
    data_root: str | Path | Sequence[str | Path] | None = None,
    resume: bool | str | Path = False,
    amp: bool = False,
    validate: bool = True,
    auto_scale_lr: bool = False,
    seed: int | None = None,
    diff_rank_seed: bool = False,
    deterministic: bool = False,
    detect_anomaly: bool = False,
    base: str | None = None,
    cfg_options: Mapping[str, Any] | None = None,
    launcher: str = 'none',
) -> Runner:
    """Train a recognizer, or resume a training.

    Args:
        config: A config file, the name of a config in the zoo, or a config, which is
            not changed.
        work_dir: Folder of logs and checkpoints; ``work_dirs/<config>`` by default,
            with a fold ``work_dirs/<config>/fold<N>``.
        fold: Fold of all datasets; that of the config by default.
        data_root: Data root of all datasets, or several, of sets with the same layout:
            it trains on all of them and validates on the first. That of the config by
            default.
        resume: True for the newest checkpoint of the work dir that is not damaged
            (without any, the training starts), or the path of a checkpoint.
        amp: Whether to train with automatic mixed precision.
        validate: Whether to evaluate while training.
        auto_scale_lr: Whether to scale the learning rate with the batch of all ranks.
        seed: Random seed; that of the config, or else 0, by default.
        diff_rank_seed: Whether each rank has a seed of its own.
        deterministic: Whether to use deterministic algorithms only.
        detect_anomaly: Whether to name the operation whose gradient is NaN (slow).
        base: Base of a file that leaves it open; see ``engine.load_config``.
        cfg_options: Values to set in the config, by dotted name.
        launcher: What started the processes: ``'none'``, ``'pytorch'``, ``'slurm'``
            or ``'mpi'``.

    Returns:
        The runner, with the trained ``model``, ``work_dir`` and ``message_hub``.

    Raises:
        InputError: If the config cannot be used.
        DatasetError: If data is missing or wrong; no work dir is made then.
        CheckpointError: If the checkpoint to resume from is damaged.
        NonFiniteError: If the loss is not finite.
        OSError: If the work dir cannot be written to; ``filename`` says where.
        SystemExit: With code 75, if SIGTERM ended the training after it was saved.

    Example:
        >>> train('ifdd_vit_sample', fold=9)
        Traceback (most recent call last):
        ...
        ifdd_mmaction.datasets...DatasetError: fold 9: DFEWDataset has folds 1, 2...

        With the clips of ``tools/data/make_sample_dfew.py`` in ``data/sample_dfew``:

        >>> options = {'train_cfg.max_epochs': 1, 'log_level': 'ERROR'}
        >>> runner = train('ifdd_vit_sample', fold=1, cfg_options=options)
        >>> runner.epoch, runner.work_dir
        (1, '...work_dirs/ifdd_vit_sample/fold1')
    """
    begun = BegunHook()
    with (
        config_errors(_name(config), begun),
        torch.autograd.set_detect_anomaly(detect_anomaly),
    ):
        cfg = _read(config, base, cfg_options, work_dir, fold, data_root, launcher)
        if not validate:
            cfg.val_cfg = cfg.val_dataloader = cfg.val_evaluator = None
        if amp:
            _turn_on_amp(cfg)
        if resume:
            choose_checkpoint(cfg, resume)
        if auto_scale_lr:
            cfg.auto_scale_lr.enable = True
        set_randomness(cfg, seed, diff_rank_seed, deterministic)
        # Before the runner: wrong data leaves no work dir behind. A test whose clips
        # do not fit would fail after days.
        _check(cfg, ('train_dataloader', 'val_dataloader'), LOADERS)
        try:
            # FlexibleRunner, for strategies such as FSDP.
            runner = RUNNERS.get(cfg.get('runner_type', 'Runner')).from_cfg(cfg)
            runner.register_hook(begun)
            runner.train()
        except OSError as error:
            if error.errno in UNWRITABLE and not error.filename:
                error.filename = cfg.work_dir
            raise
    return runner


def test(
    config: str | Path | Config,
    checkpoint: str | Path,
    *,
    work_dir: str | Path | None = None,
    fold: int | None = None,
    data_root: str | Path | None = None,
    dump: str | Path | None = None,
    show_dir: str | Path | None = None,
    interval: int = 1,
    base: str | None = None,
    cfg_options: Mapping[str, Any] | None = None,
    launcher: str = 'none',
    calibrated: bool = False,
) -> dict[str, Any]:
    """Test a recognizer on the clips of its config's test loader.

    Args:
        config: As of :func:`train`.
        checkpoint: File or address of the weights.
        work_dir: Folder of the logs, as of :func:`train`.
        fold: Fold of all datasets; that of the config by default.
        data_root: Data root of the dataset; that of the config by default.
        dump: File for the predictions: ``.json`` with the metrics, which the tools of
            ``tools/visualization`` read, or ``.pkl`` of data samples.
        show_dir: Folder that gets a picture of each clip and its prediction.
        interval: Every how many clips one is drawn.
        base: As of :func:`train`.
        cfg_options: Values to set in the config, by dotted name.
        launcher: As of :func:`train`.
        calibrated: Whether to divide the logits by the checkpoint's temperature; see
            :func:`calibrate`.

    Returns:
        The metrics: ``dfer/WAR``, ``dfer/UAR`` and ``dfer/F1`` as fractions of 1, the
        recall of each class as ``dfer/recall/<class>``, ``dfer/confusion_matrix``.

    Raises:
        InputError: If the config cannot be used, or there is no such checkpoint.
        DatasetError: If data is missing or wrong; no work dir is made then.
        CheckpointError: If the checkpoint is damaged or would run code.

    Example:
        >>> test('ifdd_vit_sample', 'absent.pth')
        Traceback (most recent call last):
        ...
        ifdd_mmaction.errors.InputError: no checkpoint absent.pth

        With the clips of ``tools/data/make_sample_dfew.py`` in ``data/sample_dfew``:

        >>> from ifdd_mmaction.apis import get_checkpoint
        >>> weights = get_checkpoint('ifdd_vit_sample')
        >>> metrics = test(
        ...     'ifdd_vit_sample', weights, cfg_options={'log_level': 'ERROR'}
        ... )
        Loads checkpoint by local backend from path: ...
        >>> 0 <= metrics['dfer/UAR'] <= 1
        True
    """
    checkpoint = str(checkpoint)
    is_file = Path(checkpoint).is_file()
    if not is_file and '://' not in checkpoint:
        raise InputError(f'no checkpoint {checkpoint}')
    begun = BegunHook()
    with config_errors(_name(config), begun):
        cfg = _read(config, base, cfg_options, work_dir, fold, data_root, launcher)
        cfg.load_from = checkpoint
        if dump:
            _dump_to(cfg, str(dump))
        if show_dir:
            cfg.setdefault('default_hooks', {})['visualization'] = dict(
                type='ClipVisualizationHook',
                enable=True,
                interval=interval,
                out_dir=str(show_dir),
            )
        if is_file:
            check_checkpoint(checkpoint)
        _check(cfg, ('test_dataloader',), ('test_dataloader',))
        runner = Runner.from_cfg(cfg)
        runner.register_hook(begun)
        if calibrated:
            runner.register_hook(TemperatureHook())
        return runner.test()


# Not a test for pytest where it is imported by name.
test.__test__ = False  # type: ignore[attr-defined]


def choose_checkpoint(cfg: Config, wanted: bool | str | Path = True) -> None:
    """Write into a config what to resume from: a path, or True for the newest.

    Raises:
        CheckpointError: If it is damaged, or with True, if all are.
    """
    if wanted is not True:
        check_checkpoint(str(wanted))
        cfg.resume, cfg.load_from = True, str(wanted)
        return
    path, damaged = latest_checkpoint(cfg.work_dir)
    for message in damaged:
        print(message, file=sys.stderr)
    if path:
        print(f'resuming from {path}')
        cfg.resume, cfg.load_from = True, str(path)


def set_randomness(
    cfg: Config,
    seed: int | None = None,
    diff_rank_seed: bool = False,
    deterministic: bool = False,
) -> None:
    """Write the randomness into a config; what is not given stays as it is there."""
    cfg.setdefault('randomness', dict(seed=0))
    if seed is not None:
        cfg.randomness.seed = seed
    if diff_rank_seed:
        cfg.randomness.diff_rank_seed = True
    if deterministic:
        cfg.randomness.deterministic = True


def _name(config: str | Path | Config) -> str:
    if isinstance(config, Config):
        return str(config.filename or 'config')
    return str(config)


def _read(
    config: str | Path | Config,
    base: str | None,
    cfg_options: Mapping[str, Any] | None,
    work_dir: str | Path | None,
    fold: int | None,
    data_root: str | Path | Sequence[str | Path] | None,
    launcher: str,
) -> Config:
    """Read a config and write into it what training and testing have in common."""
    if isinstance(config, Config):
        cfg = copy.deepcopy(config)
    elif Path(config).is_file():
        cfg = load_config(config, base)
    else:
        cfg = load_config(get_config(str(config)).filename, base)
    cfg.merge_from_dict(dict(cfg_options or {}))
    cfg.launcher = launcher
    if work_dir:
        cfg.work_dir = str(work_dir)
    elif not cfg.get('work_dir'):
        cfg.work_dir = str(Path('work_dirs') / Path(_name(config)).stem)
    if data_root is not None:
        set_data_root(cfg, data_root)
    if fold is not None:
        set_fold(cfg, fold)
        if not work_dir:
            cfg.work_dir = str(Path(cfg.work_dir) / f'fold{fold}')
    return cfg


def _check(cfg: Config, read: Sequence[str], sampled: Sequence[str]) -> None:
    """Check the data of some loaders, and the shapes of clips of some."""
    init_default_scope(cfg.get('default_scope', 'mmaction'))
    check_decoders(cfg, sampled)
    check_datasets(cfg, read)
    check_clip_shapes(cfg, sampled)


def _turn_on_amp(cfg: Config) -> None:
    if cfg.optim_wrapper.get('type', 'OptimWrapper') != 'OptimWrapper':
        raise InputError(
            f'--amp replaces OptimWrapper, the config has {cfg.optim_wrapper.type}'
        )
    cfg.optim_wrapper.type = 'AmpOptimWrapper'
    cfg.optim_wrapper.setdefault('loss_scale', 'dynamic')


def _dump_to(cfg: Config, dump: str) -> None:
    if not dump.endswith(DUMPS):
        raise InputError(f'--dump {dump}: give a .json, .pkl or .pickle file')
    evaluators = cfg.test_evaluator
    evaluators = evaluators if isinstance(evaluators, (list, tuple)) else [evaluators]
    if not dump.endswith('.json'):
        added = dict(type='DumpResults', out_file_path=dump)
        cfg.test_evaluator = [*evaluators, added]
        return
    for evaluator in evaluators:
        if evaluator.type == 'DFERMetric':
            evaluator.dump = dump
            return
    raise InputError(f'--dump {dump} needs a DFERMetric in test_evaluator')
