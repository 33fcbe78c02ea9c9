"""Train a recognizer on single frames, then on clips: static first, then dynamic.

    python tools/static_first.py ifdd_vit_dfew --fold 1
    python tools/static_first.py ifdd_vit_sample --known-intensity

The frames are in WORK_DIR/frames, the clips in WORK_DIR/clips. A stage that is
finished is not run again and an interrupted one is resumed, so the same command
continues where it stopped. Exit codes: 0 trained, 2 wrong data or arguments, 3 a
checkpoint or the work dir cannot be read or written, 4 the loss is not finite, 75 ended
by SIGTERM after saving: the same command goes on.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from mmengine.config import DictAction

from ifdd_mmaction.apis import train_static_first
from ifdd_mmaction.cli import add_cfg_options, add_launcher, describe, exit_code


def parse_args(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=describe(__doc__))
    parser.add_argument('config', help='name of a config in configs, without .py')
    parser.add_argument(
        '--work-dir', help='folder of both (work_dirs/CONFIG_static_first)'
    )
    parser.add_argument(
        '--data-root',
        nargs='+',
        help='data root of all loaders; of several, trains on all, validates on the '
        'first',
    )
    parser.add_argument(
        '--frames-root', nargs='+', help='data roots of the frames, if they are others'
    )
    parser.add_argument(
        '--known-intensity',
        action='store_true',
        help='choose frames by the intensity in envelope.npy of the dataset',
    )
    parser.add_argument('--fold', type=int, help='fold of all datasets')
    parser.add_argument('--seed', type=int, help='random seed')
    parser.add_argument(
        '--amp', action='store_true', help='train with automatic mixed precision'
    )
    parser.add_argument(
        '--frame-options',
        nargs='+',
        action=DictAction,
        help='KEY=VALUE into the config of the frames',
    )
    add_cfg_options(parser, 'KEY=VALUE into the config of the clips')
    add_launcher(parser)
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> None:
    args = vars(parse_args(argv))
    del args['local_rank']
    code = exit_code(lambda: train_static_first(**args))
    if code:
        sys.exit(code)


if __name__ == '__main__':
    main()
