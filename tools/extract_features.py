"""Write the features of a whole dataset: one row of an array for each clip.

    python tools/extract_features.py CONFIG CHECKPOINT --out FOLDER

FOLDER gets ``vector.npy``, (clips, channels) float32, and ``index.csv`` with clip and
label of each row. After an interruption the same command continues. Exit codes: 0
written, 2 wrong data or arguments, 130 interrupted.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from ifdd_mmaction.apis import (
    FEATURES,
    TrainedModel,
    add_model_arguments,
    extract_features,
)
from ifdd_mmaction.datasets import DatasetError
from ifdd_mmaction.errors import InputError


def parse_args(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description='Extract features')
    add_model_arguments(parser)
    parser.add_argument('--out', type=Path, required=True, help='folder of the files')
    parser.add_argument(
        '--features',
        nargs='+',
        choices=FEATURES,
        default=['vector'],
        help='what the head classifies, or means of maps of the neck (%(default)s)',
    )
    parser.add_argument(
        '--part-size',
        type=int,
        default=256,
        help='clips that are kept together; an interrupt loses no more (%(default)s)',
    )
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> int:
    args = parse_args(argv)
    try:
        extract_features(
            TrainedModel.from_args(args), args.out, args.features, args.part_size
        )
    except (DatasetError, InputError, OSError) as error:
        print(error, file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print(
            f'\ninterrupted: the same command continues in {args.out}', file=sys.stderr
        )
        return 130
    for name in (*(f'{feature}.npy' for feature in args.features), 'index.csv'):
        print(args.out / name)
    return 0


if __name__ == '__main__':
    sys.exit(main())
