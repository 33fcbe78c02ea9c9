"""Train and test every fold, and make one table of it.

    python tools/kfold.py configs/ifdd_vit_dfew.py --folds 1-5
    python tools/kfold.py configs/ifdd_vit_dfew.py --slurm kfold.sbatch

Fold N is in WORK_DIR/foldN. A fold that is finished is not run again and an
interrupted one is resumed, so the same command goes on where it stopped. The table
holds WAR and UAR of the last and of the best epoch, each pair of one checkpoint, and
their plain mean over the folds. Exit codes: 0 all folds are in the table, 1 some
failed, 2 wrong data or arguments, 130 interrupted.
"""

from __future__ import annotations

import argparse
import os
import re
import shlex
import signal
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from mmengine.config import Config, DictAction
from mmengine.registry import init_default_scope

from ifdd_mmaction.apis.models import read_config
from ifdd_mmaction.datasets import DatasetError, check_datasets, set_fold
from ifdd_mmaction.datasets.folds import LOADERS, folds_of, innermost
from ifdd_mmaction.engine.runs import Run, RunError, claim, execute_all
from ifdd_mmaction.errors import InputError
from ifdd_mmaction.evaluation import fold_table, write_table
from ifdd_mmaction.fileio import write_atomic

TOOLS = Path(__file__).resolve().parent


def fold_list(text: str) -> list[int]:
    """Read ``1-3,5`` as 1, 2, 3 and 5."""
    folds: set[int] = set()
    for part in text.split(','):
        found = re.fullmatch(r'(\d+)(?:-(\d+))?', part)
        span = range(int(found[1]), int(found[2] or found[1]) + 1) if found else ()
        if not span:
            raise argparse.ArgumentTypeError(f'{text!r}: give folds as 1-5 or 1,3,5')
        folds.update(span)
    return sorted(folds)


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description='Train and test every fold')
    parser.add_argument('config', type=Path)
    parser.add_argument('--folds', type=fold_list, help='1-5 or 1,3 (default: all)')
    parser.add_argument(
        '--work-dir', type=Path, help='fold N goes to its foldN (work_dirs/CONFIG)'
    )
    parser.add_argument('--seed', type=int, help='random seed of every fold')
    parser.add_argument(
        '--gpus', type=int, default=1, help='GPUs of this machine for each fold'
    )
    parser.add_argument(
        '--out', type=Path, help='write OUT.md and OUT.json (WORK_DIR/folds)'
    )
    parser.add_argument(
        '--slurm',
        type=Path,
        metavar='FILE',
        help='run nothing, write a job array with one task for each fold',
    )
    parser.add_argument(
        '--sbatch',
        action='append',
        default=[],
        metavar='OPTION',
        help='with --slurm: a line for it, as --sbatch=--partition=gpu',
    )
    parser.add_argument(
        '--cfg-options', nargs='+', default=[], help='KEY=VALUE into the config'
    )
    args = parser.parse_args()
    if not args.config.is_file():
        parser.error(f'no config {args.config}')
    if not args.work_dir:
        args.work_dir = Path('work_dirs') / args.config.stem
    return args


def load_config(args: argparse.Namespace) -> Config:
    """Load the config as ``tools/train.py`` will."""
    parser = argparse.ArgumentParser()
    parser.add_argument('--cfg-options', nargs='*', action=DictAction)
    options = parser.parse_args(['--cfg-options', *args.cfg_options])
    cfg = read_config(args.config, options.cfg_options)
    init_default_scope(cfg.get('default_scope', 'mmaction'))
    return cfg


def choose_folds(cfg: Config, wanted: Sequence[int] | None) -> list[int]:
    """Return the folds, all of which have data.

    Raises:
        DatasetError: If the config has no folds, or the data of one is not there.
    """
    datasets = [d for name in LOADERS for d in innermost(cfg.get(name) or {})]
    known = [folds for d in datasets if (folds := folds_of(d))]
    folds = wanted or (known[0] if known else None)
    if not folds:
        raise DatasetError('which folds there are is not known: give --folds')
    for fold in folds:
        set_fold(cfg, fold)
        # A wrong fold 5 should not wait for the end of fold 4.
        check_datasets(cfg, LOADERS)
    return list(folds)


def command(args: argparse.Namespace, folds: str, *out: str) -> str:
    """Return the shell command for some folds, the text of ``folds`` unquoted."""
    line = [sys.executable, str(TOOLS / 'kfold.py'), str(args.config)]
    line += ['--work-dir', str(args.work_dir), '--gpus', str(args.gpus)]
    if args.seed is not None:
        line += ['--seed', str(args.seed)]
    options = ['--cfg-options', *args.cfg_options] if args.cfg_options else []
    parts = [shlex.join(line), f'--folds {folds}', *out, shlex.join(options)]
    return ' '.join(part for part in parts if part)


def slurm_script(args: argparse.Namespace, folds: Sequence[int]) -> str:
    """Return a job array: each task runs this tool for one fold."""
    numbers = ','.join(map(str, folds))
    table = f'--out {shlex.quote(str(args.work_dir))}/fold"$SLURM_ARRAY_TASK_ID"/folds'
    directives = [
        f'--job-name=kfold_{args.config.stem}',
        f'--array={numbers}',
        '--ntasks=1',
        f'--gres=gpu:{args.gpus}',
        f'--cpus-per-task={5 * args.gpus}',
        f'--output="{args.work_dir.resolve()}/slurm_%A_%a.txt"',
        # A task that was ended for another job goes on where it stopped.
        '--requeue',
        *args.sbatch,
    ]
    base = os.environ.get('IFDD_BASE')
    lines = [
        '#!/usr/bin/env bash',
        *(f'#SBATCH {directive}' for directive in directives),
        '# One task for each fold. When all are done, this prints the table:',
        f'#   {command(args, numbers)}',
        'set -euo pipefail',
        f'cd {shlex.quote(str(Path.cwd()))}',
        *([f'export IFDD_BASE={shlex.quote(base)}'] if base else []),
        f'exec {command(args, chr(34) + "$SLURM_ARRAY_TASK_ID" + chr(34), table)}',
    ]
    return '\n'.join(lines) + '\n'


def run_folds(args: argparse.Namespace, folds: Sequence[int]) -> int:
    """Run the folds one after the other and write the table."""
    runs = [
        Run(
            tools=TOOLS,
            config=args.config,
            folder=args.work_dir / f'fold{fold}',
            fold=fold,
            seed=args.seed,
            options=args.cfg_options,
            gpus=args.gpus,
        )
        for fold in folds
    ]
    claim(runs)
    print(f'{len(runs)} folds, logs in {args.work_dir}/fold*/log.txt', flush=True)
    rows: list[dict[str, Any]] = []
    begin = time.monotonic()
    for count, (run, result) in enumerate(execute_all(runs), start=1):
        if isinstance(result, RunError):
            said = f'FAILED: {result}'
        else:
            rows.append(dict(fold=run.fold, **result))
            said = ', '.join(describe(k, scores) for k, scores in result.items())
        minutes = (time.monotonic() - begin) / 60
        where = f'[{count}/{len(runs)}, {minutes:.1f} min]'
        print(f'{where} fold {run.fold}: {said}', flush=True)
    if rows:
        markdown, record = fold_table(rows)
        record |= dict(
            config=str(args.config), seed=args.seed, cfg_options=args.cfg_options
        )
        out = args.out or args.work_dir / 'folds'
        write_table(out, markdown, record)
        print(f'\n{markdown}\n\nwritten to {out}.md and {out}.json')
    return 0 if len(rows) == len(runs) else 1


def describe(name: str, scores: Mapping[str, Any]) -> str:
    war, uar = (100 * scores[k] for k in ('WAR', 'UAR'))
    return f'{name} (epoch {scores["epoch"]}) WAR {war:.2f} % UAR {uar:.2f} %'


def main() -> int:
    args = parse_args()
    # As an interrupt: the run is told, saves, and ends first.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        folds = choose_folds(load_config(args), args.folds)
        if not args.slurm:
            return run_folds(args, folds)
        # SLURM opens its log there before the first task starts.
        args.work_dir.mkdir(parents=True, exist_ok=True)
        write_atomic(args.slurm, slurm_script(args, folds).encode())
        print(f'submit with: sbatch {shlex.quote(str(args.slurm))}')
        return 0
    except (DatasetError, InputError, RunError) as error:
        print(error, file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print('interrupted: the same command goes on from here', file=sys.stderr)
        return 130


if __name__ == '__main__':
    sys.exit(main())
