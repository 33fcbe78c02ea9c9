"""Distributions of the confidence in each class, of its clips and of all others.

    python tools/visualization/confidences.py WORK_DIR/predictions.json

Exit codes: 0 drawn, 2 wrong files or arguments.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from ifdd_mmaction.visualization import (
    WorkDirError,
    figure_path,
    plot_confidences,
    probabilities,
    read_predictions,
    save_figure,
)


def parse_args(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description='Draw confidence distributions')
    parser.add_argument('predictions', type=Path, help='of tools/test.py --dump')
    parser.add_argument(
        '--out', type=figure_path, help='(confidences.png beside the predictions)'
    )
    parser.add_argument('--title', default='')
    parser.add_argument(
        '--dpi', type=int, default=150, help='pixels an inch (%(default)s)'
    )
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> int:
    args = parse_args(argv)
    out = args.out or args.predictions.with_name('confidences.png')
    try:
        report = read_predictions(args.predictions)
        shares = np.stack([probabilities(clip['scores']) for clip in report['clips']])
        labels = [clip['label'] for clip in report['clips']]
        figure = plot_confidences(shares, labels, report['classes'], args.title)
        save_figure(figure, out, dpi=args.dpi)
    except (WorkDirError, OSError) as error:
        print(error, file=sys.stderr)
        return 2
    print(out)
    return 0


if __name__ == '__main__':
    sys.exit(main())
