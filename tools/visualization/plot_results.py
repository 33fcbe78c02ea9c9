"""Draw a finished run: ``python tools/visualization/plot_results.py WORK_DIR``.

Writes training_curve.png, confusion_matrix.png and prediction_strip.png. What is
missing for one of them is said on stderr, and the others are drawn. Exit codes: 0
something drawn, 2 nothing drawn or wrong arguments.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from matplotlib.figure import Figure

from ifdd_mmaction.datasets import DatasetError
from ifdd_mmaction.visualization import (
    WorkDirError,
    choose_clips,
    find_config,
    load_clips,
    plot_confusion_matrix,
    plot_prediction_strip,
    plot_training_curve,
    read_predictions,
    read_scalars,
    save_figure,
)

CURVE, MATRIX, STRIP = (
    'training_curve.png',
    'confusion_matrix.png',
    'prediction_strip.png',
)


def positive(text: str) -> int:
    if (number := int(text)) < 1:
        raise argparse.ArgumentTypeError(f'{text} is not at least 1')
    return number


def parse_args(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description='Draw a finished run')
    parser.add_argument('work_dir', type=Path, help='folder of the run')
    parser.add_argument(
        '--predictions',
        type=Path,
        help='what tools/test.py --dump wrote (WORK_DIR/predictions.json)',
    )
    parser.add_argument('--out', type=Path, help='folder of the pictures (WORK_DIR)')
    parser.add_argument(
        '--clips', type=positive, default=6, help='clips in the strip (%(default)s)'
    )
    parser.add_argument(
        '--config',
        type=Path,
        help='config with the test set (the one that is dumped in WORK_DIR)',
    )
    args = parser.parse_args(argv)
    if not args.work_dir.is_dir():
        parser.error(f'no folder {args.work_dir}')
    if args.config and not args.config.is_file():
        parser.error(f'no config {args.config}')
    return args


def draw_curve(args: argparse.Namespace) -> Figure:
    records = read_scalars(args.work_dir)
    if not records:
        raise WorkDirError(
            f'no training or validation in {args.work_dir}/*/vis_data/scalars.json. '
            'This makes it:\n'
            f'  python tools/train.py CONFIG --work-dir {args.work_dir}'
        )
    if not any('dfer/WAR' in record for record in records):
        print(
            f'{CURVE} has no validation: no dfer/WAR in scalars.json, as after '
            '`tools/train.py --no-validate`',
            file=sys.stderr,
        )
    return plot_training_curve(records, title=args.work_dir.resolve().name)


def draw_strip(args: argparse.Namespace, report: dict) -> Figure:
    clips = load_clips(
        args.config or find_config(args.work_dir),
        choose_clips(report['clips'], args.clips),
    )
    return plot_prediction_strip(clips, report['classes'])


def main(argv: Sequence[str] | None = None) -> int:
    args = parse_args(argv)
    out = args.out or args.work_dir
    pictures: dict[str, Callable[[], Figure]] = {CURVE: lambda: draw_curve(args)}
    try:
        report = read_predictions(
            args.predictions or args.work_dir / 'predictions.json'
        )
    except WorkDirError as error:
        print(f'{MATRIX} and {STRIP} not drawn: {error}', file=sys.stderr)
    else:
        pictures[MATRIX] = lambda: plot_confusion_matrix(
            report['confusion_matrix'], report['classes']
        )
        pictures[STRIP] = lambda: draw_strip(args, report)
    drawn = 0
    for name, draw in pictures.items():
        try:
            save_figure(draw(), out / name)
        except (WorkDirError, DatasetError, OSError) as error:
            print(f'{name} not drawn: {error}', file=sys.stderr)
        else:
            print(out / name)
            drawn += 1
    return 0 if drawn else 2


if __name__ == '__main__':
    sys.exit(main())
