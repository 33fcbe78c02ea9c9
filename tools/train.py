"""Train a recognizer: ``python tools/train.py CONFIG``.

The options are MMAction2's. Exit codes: 0 trained, 2 wrong data, checkpoint or
arguments.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from mmengine.config import Config, DictAction
from mmengine.registry import init_default_scope
from mmengine.runner import Runner

from ifdd_mmaction.checkpoints import CheckpointError
from ifdd_mmaction.datasets import DatasetError, check_datasets, set_fold
from ifdd_mmaction.models import infer_neck


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
        help='resume from PATH, or from the latest checkpoint of the work dir',
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
        '--cfg-options', nargs='+', action=DictAction, help='KEY=VALUE into the config'
    )
    parser.add_argument(
        '--launcher', choices=['none', 'pytorch', 'slurm', 'mpi'], default='none'
    )
    parser.add_argument(
        '--local_rank', '--local-rank', type=int, default=0, help=argparse.SUPPRESS
    )
    return parser.parse_args()


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
            raise SystemExit(
                f'--amp replaces OptimWrapper, the config has {cfg.optim_wrapper.type}'
            )
        cfg.optim_wrapper.type = 'AmpOptimWrapper'
        cfg.optim_wrapper.setdefault('loss_scale', 'dynamic')
    if args.resume == 'auto':
        cfg.resume, cfg.load_from = True, None
    elif args.resume:
        cfg.resume, cfg.load_from = True, args.resume
    if args.auto_scale_lr:
        cfg.auto_scale_lr.enable = True
    cfg.setdefault('randomness', dict(seed=None))
    if args.seed is not None:
        cfg.randomness.seed = args.seed
    cfg.randomness.diff_rank_seed = args.diff_rank_seed
    cfg.randomness.deterministic = args.deterministic


def main() -> None:
    args = parse_args()
    try:
        cfg = Config.fromfile(args.config)
        merge_args(cfg, args)
        init_default_scope(cfg.get('default_scope', 'mmaction'))
        # Before the runner: wrong data leaves no work dir behind.
        check_datasets(cfg, ('train_dataloader', 'val_dataloader'))
        infer_neck(cfg.model)
        Runner.from_cfg(cfg).train()
    except (CheckpointError, DatasetError) as error:
        print(error, file=sys.stderr)
        sys.exit(2)


if __name__ == '__main__':
    main()
