"""Radar chart of the recall of each class, of own runs and published baselines.

    python tools/visualization/recall_radar.py NAME=predictions.json ... [--baselines B]

Several files of a model, ``NAME=fold1.json,fold2.json``, are averaged. Classes
are matched by name. Exit codes: 0 drawn, 2 wrong files or arguments.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from ifdd_mmaction.visualization import (
    WorkDirError,
    figure_path,
    plot_recall_radar,
    read_predictions,
    save_figure,
)

#: Recall of a class by its name in lower case, in fractions of 1.
Recalls = dict[str, float]


def parse_args(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description='Draw the recall of each class')
    parser.add_argument(
        'models',
        nargs='+',
        metavar='[NAME=]FILE[,FILE]',
        help='what tools/test.py --dump wrote; several files are folds of one model',
    )
    parser.add_argument(
        '--baselines', type=Path, help='JSON of published recalls, in per cent'
    )
    parser.add_argument(
        '--out',
        type=figure_path,
        default=Path('recall_radar.png'),
        help='(%(default)s)',
    )
    parser.add_argument('--title', default='')
    parser.add_argument(
        '--dpi', type=int, default=150, help='pixels an inch (%(default)s)'
    )
    return parser.parse_args(argv)


def read_model(argument: str) -> tuple[str, list[str], Recalls]:
    """Return name, classes and mean recall over the files of a model."""
    name, equals, files = argument.rpartition('=')
    paths = [Path(file) for file in files.split(',')]
    reports = [read_predictions(path) for path in paths]
    classes = [str(c) for c in reports[0]['classes']]
    rows = []
    for path, report in zip(paths, reports, strict=True):
        recall = {str(c).lower(): r for c, r in report['recall'].items()}
        check_classes(path, recall, classes)
        rows.append([np.nan if r is None else r for r in recalls_of(recall, classes)])
    mean = np.mean(rows, axis=0)
    keys = [c.lower() for c in classes]
    name = name if equals else paths[0].resolve().parent.name
    return name, classes, dict(zip(keys, mean.tolist(), strict=True))


def read_baselines(path: Path, classes: Sequence[str]) -> dict[str, Recalls]:
    """Return the recalls of published models by their name."""
    found = {}
    try:
        for entry in json.loads(path.read_bytes())['baselines']:
            recall = {c.lower(): float(r) / 100 for c, r in entry['recall'].items()}
            check_classes(path, recall, classes)
            found[entry['name']] = recall
            print(f'{entry["name"]}: {entry["source"]}')
    except (OSError, KeyError, TypeError, AttributeError, ValueError) as error:
        if isinstance(error, WorkDirError):
            raise
        raise WorkDirError(
            f'{path} is no file of baselines ({type(error).__name__}: {error}): see '
            'tools/visualization/baselines_ferv39k.json for one'
        ) from error
    return found


def check_classes(path: Path, recall: Recalls, classes: Sequence[str]) -> None:
    if set(recall) != {c.lower() for c in classes}:
        raise WorkDirError(
            f'{path} is of the classes {", ".join(recall)}; the first model is of '
            f'{", ".join(classes)}'
        )


def recalls_of(recall: Recalls, classes: Sequence[str]) -> list[float]:
    return [recall[c.lower()] for c in classes]


def main(argv: Sequence[str] | None = None) -> int:
    args = parse_args(argv)
    try:
        models: dict[str, Recalls] = {}
        classes: list[str] = []
        for argument in args.models:
            name, own, recall = read_model(argument)
            classes = classes or own
            check_classes(Path(argument), recall, classes)
            if name in models:
                raise WorkDirError(f'two models are called {name}: give NAME=FILE')
            models[name] = recall
        if args.baselines:
            models.update(read_baselines(args.baselines, classes))
        rows = {name: recalls_of(recall, classes) for name, recall in models.items()}
        save_figure(
            plot_recall_radar(rows, classes, args.title), args.out, dpi=args.dpi
        )
    except (WorkDirError, ValueError, OSError) as error:
        print(error, file=sys.stderr)
        return 2
    print(args.out)
    return 0


if __name__ == '__main__':
    sys.exit(main())
