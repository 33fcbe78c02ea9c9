"""Train and test every fold, and make one table of it.

    python tools/kfold.py configs/ifdd_vit_dfew.py --folds 1-5
    python tools/kfold.py configs/ifdd_vit_dfew.py --groups films.csv
    python tools/kfold.py configs/ifdd_vit_dfew.py --slurm kfold.sbatch

Fold N is in WORK_DIR/foldN. A fold that is finished is not run again and an
interrupted one is resumed, so the same command continues where it stopped. The table
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
from collections.abc import Sequence
from pathlib import Path

from ifdd_mmaction.apis import kfold
from ifdd_mmaction.apis.folds import choose_folds, with_groups
from ifdd_mmaction.cli import add_base, add_cfg_options
from ifdd_mmaction.datasets import DatasetError
from ifdd_mmaction.engine.runs import RunError
from ifdd_mmaction.errors import InputError
from ifdd_mmaction.fileio import write_atomic


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


def parse_args(argv: Sequence[str] | None) -> argparse.Namespace:
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
        '--groups',
        type=Path,
        metavar='FILE',
        help='CSV of clip,group: other folds, no two of which share a group',
    )
    parser.add_argument(
        '--num-folds', type=int, metavar='K', help="of --groups (the dataset's, or 5)"
    )
    add_base(parser)
    add_cfg_options(parser, as_words=True)
    args = parser.parse_args(argv)
    if not args.config.is_file():
        parser.error(f'no config {args.config}')
    if args.num_folds is not None and not args.groups:
        parser.error('--num-folds is for --groups FILE: the official folds are given')
    if args.num_folds is not None and args.num_folds < 2:
        parser.error(f'--num-folds is {args.num_folds}, not at least 2')
    if not args.work_dir:
        args.work_dir = Path('work_dirs') / args.config.stem
    if args.slurm:
        # The environment of a job is another one.
        args.base = args.base or os.environ.get('IFDD_BASE')
    return args


def command(args: argparse.Namespace, folds: str, *out: str) -> str:
    """Return the shell command for some folds, the text of ``folds`` unquoted."""
    line = [sys.executable, str(Path(__file__).resolve()), str(args.config)]
    line += ['--work-dir', str(args.work_dir), '--gpus', str(args.gpus)]
    if args.base:
        line += ['--base', args.base]
    if args.groups:
        line += ['--groups', str(args.groups)]
    if args.num_folds:
        line += ['--num-folds', str(args.num_folds)]
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
        # A task that was ended for another job continues where it stopped.
        '--requeue',
        *args.sbatch,
    ]
    lines = [
        '#!/usr/bin/env bash',
        *(f'#SBATCH {directive}' for directive in directives),
        '# One task for each fold. When all are done, this prints the table:',
        f'#   {command(args, numbers)}',
        'set -euo pipefail',
        f'cd {shlex.quote(str(Path.cwd()))}',
        f'exec {command(args, chr(34) + "$SLURM_ARRAY_TASK_ID" + chr(34), table)}',
    ]
    return '\n'.join(lines) + '\n'


def write_array(args: argparse.Namespace) -> None:
    """Write the job array."""
    # The tasks find the lists of --groups there: none has to write them.
    options = with_groups(
        args.config, args.groups, args.work_dir, args.num_folds, args.base,
        args.cfg_options,
    )  # fmt: skip
    folds = choose_folds(args.config, args.folds, args.base, options)
    # SLURM opens its log there before the first task starts.
    args.work_dir.mkdir(parents=True, exist_ok=True)
    write_atomic(args.slurm, slurm_script(args, folds).encode())
    print(f'submit with: sbatch {shlex.quote(str(args.slurm))}')


def main(argv: Sequence[str] | None = None) -> int:
    args = parse_args(argv)
    # As an interrupt: the run is told, saves, and ends first.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        if args.slurm:
            write_array(args)
            return 0
        settings = vars(args)
        del settings['slurm'], settings['sbatch']
        return 1 if kfold(**settings)['failed'] else 0
    except (DatasetError, InputError, RunError) as error:
        print(error, file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print('interrupted: the same command continues', file=sys.stderr)
        return 130


if __name__ == '__main__':
    sys.exit(main())
