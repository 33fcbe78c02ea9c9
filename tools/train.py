"""Train a recognizer: ``python tools/train.py CONFIG``, or ``ifdd train CONFIG``.

The options are MMAction2's, --fold, --data-root, --base and --detect-anomaly.
Exit codes: 0 trained, 2 wrong data or arguments, 3 a checkpoint or the work dir cannot
be read or written, 4 the loss is not finite, 75 ended by SIGTERM after saving: continue
with --resume.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from ifdd_mmaction.apis import train
from ifdd_mmaction.cli import (
    add_base,
    add_cfg_options,
    add_launcher,
    describe,
    exit_code,
)


def parse_args(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=describe(__doc__))
    parser.add_argument('config', help='config file')
    parser.add_argument('--work-dir', help='folder of logs and checkpoints')
    parser.add_argument(
        '--fold', type=int, help='fold of all datasets; the default work dir gets it'
    )
    parser.add_argument(
        '--data-root',
        nargs='+',
        help='data root of all loaders; of several, trains on all, validates on the '
        'first',
    )
    parser.add_argument(
        '--resume',
        nargs='?',
        const=True,
        default=False,
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
    add_base(parser)
    add_cfg_options(parser)
    add_launcher(parser)
    args = parser.parse_args(argv)
    if not Path(args.config).is_file():
        parser.error(f'no config {args.config}')
    return args


def main(argv: Sequence[str] | None = None) -> None:
    args = vars(parse_args(argv))
    del args['local_rank']
    validate = not args.pop('no_validate')
    code = exit_code(lambda: train(validate=validate, **args))
    if code:
        sys.exit(code)


if __name__ == '__main__':
    main()
