"""Test a recognizer: ``python tools/test.py CONFIG CHECKPOINT``.

The options are MMAction2's. Exit codes: 0 tested, 2 wrong data or arguments, 3 the
checkpoint cannot be read.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from mmengine.config import Config, DictAction
from mmengine.dist import is_main_process
from mmengine.registry import init_default_scope
from mmengine.runner import Runner

from ifdd_mmaction.checkpoints import CheckpointError
from ifdd_mmaction.datasets import DatasetError, check_datasets, set_fold
from ifdd_mmaction.engine import (
    BegunHook,
    check_checkpoint,
    check_clip_shapes,
    config_errors,
)
from ifdd_mmaction.errors import InputError


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description='Test a recognizer')
    parser.add_argument('config', help='config file')
    parser.add_argument('checkpoint', help='checkpoint file')
    parser.add_argument('--work-dir', help='folder of the logs')
    parser.add_argument(
        '--fold', type=int, help='fold of all datasets; the default work dir gets it'
    )
    parser.add_argument(
        '--dump',
        help='write the predictions: .json with the metrics, which the tools of '
        'tools/visualization/ read, or .pkl of data samples as MMAction2 does',
    )
    parser.add_argument(
        '--show-dir', help='folder that gets a picture of each clip and its prediction'
    )
    parser.add_argument(
        '--interval', type=int, default=1, help='draw every N-th clip (1)'
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
    if args.interval < 1:
        parser.error(f'--interval {args.interval}: give 1 or more')
    if args.dump and not args.dump.endswith(('.json', '.pkl', '.pickle')):
        parser.error(f'--dump {args.dump}: give a .json, .pkl or .pickle file')
    if not Path(args.checkpoint).is_file() and '://' not in args.checkpoint:
        parser.error(f'no checkpoint {args.checkpoint}')
    return args


def merge_args(cfg: Config, args: argparse.Namespace) -> None:
    """Write the command line into the config."""
    if args.cfg_options:
        cfg.merge_from_dict(args.cfg_options)
    cfg.launcher = args.launcher
    cfg.load_from = args.checkpoint
    if args.work_dir:
        cfg.work_dir = args.work_dir
    elif not cfg.get('work_dir'):
        cfg.work_dir = str(Path('work_dirs') / Path(args.config).stem)
    if args.fold is not None:
        set_fold(cfg, args.fold)
        if not args.work_dir:
            cfg.work_dir = str(Path(cfg.work_dir) / f'fold{args.fold}')
    if args.show_dir:
        cfg.setdefault('default_hooks', {})['visualization'] = dict(
            type='ClipVisualizationHook',
            enable=True,
            interval=args.interval,
            out_dir=args.show_dir,
        )
    if not args.dump:
        return
    evaluators = cfg.test_evaluator
    evaluators = evaluators if isinstance(evaluators, (list, tuple)) else [evaluators]
    if args.dump.endswith('.json'):
        for evaluator in evaluators:
            if evaluator.type == 'DFERMetric':
                evaluator.dump = args.dump
                return
        print(
            f'--dump {args.dump} needs a DFERMetric in test_evaluator', file=sys.stderr
        )
        sys.exit(2)
    dump = dict(type='DumpResults', out_file_path=args.dump)
    cfg.test_evaluator = [*evaluators, dump]


def scores_table(metrics: dict) -> str:
    """Lay out WAR, UAR, F1 and the recall of each class, whatever their prefix."""
    scores = {k: v for k, v in metrics.items() if isinstance(v, float)}
    recalls = {k.rsplit('/', 1)[1]: v for k, v in scores.items() if '/recall/' in k}
    lines = [f'{k}: {100 * v:.2f} %' for k, v in scores.items() if '/recall/' not in k]
    width = max(map(len, recalls), default=0)
    for name, value in recalls.items():
        lines.append(f'  recall {name:{width}}  {100 * value:6.2f} %')
    return '\n'.join(lines)


def main() -> None:
    args = parse_args()
    begun = BegunHook()
    try:
        with config_errors(args.config, begun):
            cfg = Config.fromfile(args.config)
            merge_args(cfg, args)
            if Path(args.checkpoint).is_file():
                check_checkpoint(args.checkpoint)
            init_default_scope(cfg.get('default_scope', 'mmaction'))
            # Before the runner: wrong data leaves no work dir behind.
            check_datasets(cfg, ('test_dataloader',))
            check_clip_shapes(cfg, ('test_dataloader',))
            runner = Runner.from_cfg(cfg)
            runner.register_hook(begun)
            metrics = runner.test()
        if is_main_process():
            print(scores_table(metrics))
    except (DatasetError, InputError) as error:
        print(error, file=sys.stderr)
        sys.exit(2)
    except CheckpointError as error:
        print(error, file=sys.stderr)
        sys.exit(3)


if __name__ == '__main__':
    main()
