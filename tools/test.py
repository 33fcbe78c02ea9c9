"""Test a recognizer: ``python tools/test.py CONFIG CHECKPOINT``, or ``ifdd test``.

The options are MMAction2's, --fold, --data-root, --base and --calibrated. Exit codes:
0 tested, 2 wrong data or arguments, 3 the checkpoint cannot be read or the work dir
cannot be written.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from mmengine.dist import is_main_process

from ifdd_mmaction.apis import test
from ifdd_mmaction.apis.training import DUMPS
from ifdd_mmaction.cli import (
    add_base,
    add_calibrated,
    add_cfg_options,
    add_launcher,
    describe,
    exit_code,
)

#: Scores that are no shares of clips, so not in percent.
NO_SHARES = ('Brier', 'NLL')


def parse_args(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=describe(__doc__))
    parser.add_argument('config', help='config file')
    parser.add_argument('checkpoint', help='checkpoint file')
    parser.add_argument('--work-dir', help='folder of the logs')
    parser.add_argument(
        '--fold', type=int, help='fold of all datasets; the default work dir gets it'
    )
    parser.add_argument('--data-root', help='data root of the clips')
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
    add_base(parser)
    add_calibrated(parser)
    add_cfg_options(parser)
    add_launcher(parser)
    args = parser.parse_args(argv)
    if not Path(args.config).is_file():
        parser.error(f'no config {args.config}')
    if args.interval < 1:
        parser.error(f'--interval {args.interval}: give 1 or more')
    if args.dump and not args.dump.endswith(DUMPS):
        parser.error(f'--dump {args.dump}: give a .json, .pkl or .pickle file')
    if not Path(args.checkpoint).is_file() and '://' not in args.checkpoint:
        parser.error(f'no checkpoint {args.checkpoint}')
    return args


def scores_table(metrics: Mapping[str, Any]) -> str:
    """Lay out WAR, UAR, F1 and the recall of each class, whatever their prefix."""
    scores = {k: v for k, v in metrics.items() if isinstance(v, float)}
    recalls = {k.rsplit('/', 1)[1]: v for k, v in scores.items() if '/recall/' in k}
    lines = []
    for name, value in scores.items():
        if name.endswith(NO_SHARES):
            lines.append(f'{name}: {value:.4f}')
        elif '/recall/' not in name:
            lines.append(f'{name}: {100 * value:.2f} %')
    width = max(map(len, recalls), default=0)
    for name, value in recalls.items():
        lines.append(f'  recall {name:{width}}  {100 * value:6.2f} %')
    return '\n'.join(lines)


def run(args: dict[str, Any]) -> None:
    metrics = test(**args)
    if is_main_process():
        print(scores_table(metrics))


def main(argv: Sequence[str] | None = None) -> None:
    args = vars(parse_args(argv))
    del args['local_rank']
    code = exit_code(lambda: run(args))
    if code:
        sys.exit(code)


if __name__ == '__main__':
    main()
