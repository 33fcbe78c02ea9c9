"""Reliability diagram and risk-coverage curve of one or several models.

    python tools/visualization/calibration.py [NAME=]predictions.json ... --out DIR

DIR gets ``reliability.png``, ``risk_coverage.png`` and, with all numbers,
``calibration.json``. Exit codes: 0 drawn, 2 wrong files or arguments.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ifdd_mmaction.cli import describe
from ifdd_mmaction.evaluation import (
    calibration_scores,
    reliability,
    risk_coverage,
    to_probabilities,
)
from ifdd_mmaction.fileio import write_atomic
from ifdd_mmaction.visualization import (
    WorkDirError,
    plot_reliability,
    plot_risk_coverage,
    read_predictions,
    save_figure,
)

#: Values of --abstain-below in calibration.json.
THRESHOLDS = (0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)


def parse_args(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=describe(__doc__))
    parser.add_argument(
        'models', nargs='+', metavar='[NAME=]FILE', help='of tools/test.py --dump'
    )
    parser.add_argument(
        '--out', type=Path, help='folder (that of the first predictions)'
    )
    parser.add_argument(
        '--format', choices=('png', 'svg', 'pdf'), default='png', help='(%(default)s)'
    )
    parser.add_argument('--title', default='')
    parser.add_argument(
        '--dpi', type=int, default=150, help='pixels an inch (%(default)s)'
    )
    return parser.parse_args(argv)


def read_model(argument: str) -> tuple[str, Path, Mapping[str, Any]]:
    """Return the name of a model, its file and its predictions."""
    name, equals, file = argument.rpartition('=')
    path = Path(file)
    return name if equals else path.stem, path, read_predictions(path)


def numbers(report: Mapping[str, Any]) -> dict[str, Any]:
    """Return all that the figures show of a model, as plain numbers."""
    shares, labels = probabilities_of(report)
    scores = calibration_scores(shares, labels)
    bins, curve = reliability(shares, labels), risk_coverage(shares, labels)
    errors = dict(zip(report['classes'], scores.pop('class_errors'), strict=True))
    return dict(
        clips=len(labels),
        # Without a prediction, and so not in any number here.
        unread=len(report.get('unread', ())),
        accuracy=float((shares.argmax(axis=1) == labels).mean()),
        mean_confidence=float(shares.max(axis=1).mean()),
        **scores,
        class_errors={k: plain(v) for k, v in errors.items()},
        bins=[
            dict(above=low, to=high, clips=clips, confidence=mean, accuracy=share)
            for low, high, clips, mean, share in zip(
                bins.edges[:-1].tolist(), bins.edges[1:].tolist(),
                bins.counts.tolist(), *map(plain, (bins.confidence, bins.accuracy)),
                strict=True,
            )
        ],
        abstain_below=[
            abstention(shares, labels, threshold) for threshold in THRESHOLDS
        ],
        risk_coverage=dict(
            coverage=curve.coverage.tolist(),
            risk=curve.risk.tolist(),
            confidence=curve.confidence.tolist(),
        ),
    )  # fmt: skip


def probabilities_of(report: Mapping[str, Any]) -> tuple[np.ndarray, np.ndarray]:
    """Return probabilities ``(N, K)`` and labels ``(N,)`` of the clips."""
    clips = report['clips']
    shares = to_probabilities([clip['scores'] for clip in clips])
    return shares, np.array([clip['label'] for clip in clips])


def plain(values: Any) -> Any:
    """Return numbers for JSON, with None for NaN."""
    if np.ndim(values):
        return [plain(value) for value in values]
    return None if np.isnan(values) else float(values)


def abstention(
    shares: np.ndarray, labels: np.ndarray, threshold: float
) -> dict[str, Any]:
    """Return what is left, and how accurate it is, if the others get "not sure"."""
    sure = shares.max(axis=1) >= threshold
    right = (shares.argmax(axis=1) == labels)[sure]
    accuracy = float(right.mean()) if sure.any() else None
    return dict(threshold=threshold, coverage=float(sure.mean()), accuracy=accuracy)


def draw(args: argparse.Namespace) -> None:
    """Read the models, and write figures and numbers."""
    found: dict[str, Mapping[str, Any]] = {}
    out = args.out
    for argument in args.models:
        name, path, report = read_model(argument)
        if name in found:
            raise WorkDirError(f'two models are called {name}: give NAME=FILE')
        found[name] = report
        out = out or path.parent
    pairs = {name: probabilities_of(report) for name, report in found.items()}
    figures = dict(
        reliability=plot_reliability(
            {name: reliability(*pair) for name, pair in pairs.items()}, args.title
        ),
        risk_coverage=plot_risk_coverage(
            {name: risk_coverage(*pair) for name, pair in pairs.items()}, args.title
        ),
    )
    for name, figure in figures.items():
        path = out / f'{name}.{args.format}'
        save_figure(figure, path, dpi=args.dpi)
        print(path)
    models = {name: numbers(report) for name, report in found.items()}
    path = out / 'calibration.json'
    write_atomic(path, f'{json.dumps(models, indent=1)}\n'.encode())
    print(path)


def main(argv: Sequence[str] | None = None) -> int:
    args = parse_args(argv)
    try:
        draw(args)
    except (ValueError, OSError) as error:  # also WorkDirError
        print(error, file=sys.stderr)
        return 2
    return 0


if __name__ == '__main__':
    sys.exit(main())
