"""Train a recognizer: ``python tools/train.py CONFIG``.

The options are MMAction2's, --fold and --detect-anomaly. Exit codes: 0 trained, 2
wrong data or arguments, 3 a checkpoint or the work dir cannot be read or written, 4 the
loss is not finite, 75 ended by SIGTERM after saving: continue with --resume.
"""

from __future__ import annotations

import argparse
import errno
import sys
from pathlib import Path

import torch
from mmengine.config import Config, DictAction
from mmengine.registry import RUNNERS, init_default_scope

from ifdd_mmaction.checkpoints import CheckpointError
from ifdd_mmaction.datasets import DatasetError, check_datasets, set_fold
from ifdd_mmaction.engine import (
    BegunHook,
    NonFiniteError,
    check_checkpoint,
    check_clip_shapes,
    config_errors,
    latest_checkpoint,
)
from ifdd_mmaction.errors import InputError
from ifdd_mmaction.models import infer_neck

#: What a full disk, a quota and a folder that may not be written say.
UNWRITABLE = (
    errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.EACCES, errno.EPERM
)  # fmt: skip


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description='Train a recognizer')
    parser.add_argument('config', help='config file')
    parser.add_argument('--work-dir', help='folder of logs and checkpoints')
    parser.add_argument(
        '--fold', type=int, help='fold of all datasets; the default work dir gets it'
    )
    parser.add_argument(
        '--resume',
        nargs='?',
        const='auto',
        help='resume from PATH, or from the newest checkpoint of the work dir that is '
        'not damaged; without any, start',
    )
    parser.add_argument(
        '--amp', action='store_true', help='train with automatic mixed precision'
    )
    parser.add_argument(
        '--no-validate', action='store_true', help='do not evaluate while training'
    )
    parser.add_argument(
        '--auto-scale-lr',
        action='store_true',
        help='scale the learning rate with the batch over all ranks',
    )
    parser.add_argument('--seed', type=int, help='random seed')
    parser.add_argument(
        '--diff-rank-seed', action='store_true', help='give each rank a seed of its own'
    )
    parser.add_argument(
        '--deterministic', action='store_true', help='use deterministic algorithms only'
    )
    parser.add_argument(
        '--detect-anomaly',
        action='store_true',
        help='name the operation whose gradient is NaN (slow)',
    )
    parser.add_argument(
        '--cfg-options', nargs='+', action=DictAction, help='KEY=VALUE into the config'
    )
    parser.add_argument(
        '--launcher', choices=['none', 'pytorch', 'slurm', 'mpi'], default='none'
    )
    parser.add_argument(
        '--local_rank', '--local-rank', type=int, default=0, help=argparse.SUPPRESS
    )
    args = parser.parse_args()
    if not Path(args.config).is_file():
        parser.error(f'no config {args.config}')
    return args


def merge_args(cfg: Config, args: argparse.Namespace) -> None:
    """Write the command line into the config."""
    if args.cfg_options:
        cfg.merge_from_dict(args.cfg_options)
    cfg.launcher = args.launcher
    if args.work_dir:
        cfg.work_dir = args.work_dir
    elif not cfg.get('work_dir'):
        cfg.work_dir = str(Path('work_dirs') / Path(args.config).stem)
    if args.fold is not None:
        set_fold(cfg, args.fold)
        if not args.work_dir:
            cfg.work_dir = str(Path(cfg.work_dir) / f'fold{args.fold}')
    if args.no_validate:
        cfg.val_cfg = cfg.val_dataloader = cfg.val_evaluator = None
    if args.amp:
        if cfg.optim_wrapper.get('type', 'OptimWrapper') != 'OptimWrapper':
            print(
                f'--amp replaces OptimWrapper, the config has {cfg.optim_wrapper.type}',
                file=sys.stderr,
            )
            sys.exit(2)
        cfg.optim_wrapper.type = 'AmpOptimWrapper'
        cfg.optim_wrapper.setdefault('loss_scale', 'dynamic')
    if args.resume:
        resume(cfg, args.resume)
    if args.auto_scale_lr:
        cfg.auto_scale_lr.enable = True
    cfg.setdefault('randomness', dict(seed=0))
    if args.seed is not None:
        cfg.randomness.seed = args.seed
    if args.diff_rank_seed:
        cfg.randomness.diff_rank_seed = True
    if args.deterministic:
        cfg.randomness.deterministic = True


def resume(cfg: Config, wanted: str) -> None:
    """Choose the checkpoint to resume from: a path, or ``'auto'``.

    Raises:
        CheckpointError: If it is damaged, or with ``'auto'``, if all are.
    """
    if wanted != 'auto':
        check_checkpoint(wanted)
        cfg.resume, cfg.load_from = True, wanted
        return
    path, damaged = latest_checkpoint(cfg.work_dir)
    for message in damaged:
        print(message, file=sys.stderr)
    if path:
        print(f'resuming from {path}')
        cfg.resume, cfg.load_from = True, str(path)


def main() -> None:
    args = parse_args()
    torch.autograd.set_detect_anomaly(args.detect_anomaly)
    begun = BegunHook()
    try:
        with config_errors(args.config, begun):
            cfg = Config.fromfile(args.config)
            merge_args(cfg, args)
            init_default_scope(cfg.get('default_scope', 'mmaction'))
            # Before the runner: wrong data leaves no work dir behind.
            check_datasets(cfg, ('train_dataloader', 'val_dataloader'))
            infer_neck(cfg.model)
            # The test would come after days.
            check_clip_shapes(
                cfg, ('train_dataloader', 'val_dataloader', 'test_dataloader')
            )
            # FlexibleRunner, for strategies such as FSDP.
            runner = RUNNERS.get(cfg.get('runner_type', 'Runner')).from_cfg(cfg)
            runner.register_hook(begun)
            runner.train()
    except (DatasetError, InputError) as error:
        print(error, file=sys.stderr)
        sys.exit(2)
    except CheckpointError as error:
        print(error, file=sys.stderr)
        sys.exit(3)
    except NonFiniteError as error:
        print(error, file=sys.stderr)
        sys.exit(4)
    except OSError as error:
        if error.errno not in UNWRITABLE:
            raise
        where = error.filename or cfg.work_dir
        print(f'{where} cannot be written: {error.strerror}', file=sys.stderr)
        sys.exit(3)


if __name__ == '__main__':
    main()
