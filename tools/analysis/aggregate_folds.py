"""Make the table of a protocol with folds from finished work dirs.

    python tools/analysis/aggregate_folds.py work_dirs/ifdd_vit_dfew
    python tools/analysis/aggregate_folds.py runs/a/fold1 runs/b/fold2 ...

Takes the scores that ``tools/kfold.py`` left, or else what training logged at each
validation: WAR and UAR of the last epoch and of the epoch with the best WAR. Warns when
a fold is missing, twice, or unfinished, and when folds were run with different
configs. Exit codes: 0 a table without warnings, 1 with warnings, 2 no table.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from mmengine.config import Config

from ifdd_mmaction.datasets import DatasetError
from ifdd_mmaction.datasets.folds import LOADERS, folds_of, innermost
from ifdd_mmaction.evaluation import fold_table, write_table
from ifdd_mmaction.visualization import WorkDirError, read_scalars

#: What may differ between folds: where a run is, and how it was started.
OWN_KEYS = {'fold', 'work_dir', 'resume', 'launcher'}


class FoldRun(NamedTuple):
    """What one work dir holds."""

    folder: Path
    config: Config
    row: dict[str, Any]
    warnings: list[str]


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description='Make one table of finished folds')
    parser.add_argument(
        'work_dirs', nargs='+', type=Path, help='work dirs, or folders of foldN'
    )
    parser.add_argument('--out', type=Path, help='write OUT.md and OUT.json')
    return parser.parse_args()


def find_runs(folder: Path) -> list[Path]:
    """Return the folder itself, or the runs in its ``fold*``."""
    found = [
        path
        for path in (folder, *sorted(folder.glob('fold*')))
        if any(path.glob('*/vis_data/config.py'))
    ]
    if not found:
        raise WorkDirError(f'{folder}: no run of tools/train.py in it or in its fold*')
    return found


def read_run(folder: Path) -> FoldRun:
    """Read config and scores of a work dir.

    Raises:
        WorkDirError: If it has no training or no scores, or trained and tested on
            different folds.
    """
    # Testing leaves a config too, but no scalars. The first training is the one that
    # was not resumed.
    logs = sorted(folder.glob('*/vis_data/scalars.json'))
    if not logs:
        raise WorkDirError(f'{folder}: no vis_data/scalars.json, which training writes')
    cfg = Config.fromfile(logs[0].with_name('config.py'), import_custom_modules=False)
    folds = {d.get('fold') for name in LOADERS for d in innermost(cfg.get(name) or {})}
    if len(folds) != 1 or None in folds:
        raise WorkDirError(
            f'{folder}: its datasets have the folds {", ".join(map(str, folds))}: '
            'use one fold, the same for training and testing'
        )
    warnings: list[str] = []
    scores = folder / 'scores.json'
    if scores.is_file():
        source, row = scores, json.loads(scores.read_text())['scores']
    else:
        source, row = logs[-1], validation_scores(folder)
        if cfg.val_dataloader.dataset != cfg.test_dataloader.dataset:
            warnings.append(f'{folder}: the scores are of validation, not of the test')
    planned = cfg.train_cfg.get('max_epochs')
    if planned and row['last']['epoch'] < planned:
        warnings.append(f'{folder}: ends at epoch {row["last"]["epoch"]} of {planned}')
    row = dict(fold=folds.pop(), **row, source=str(source))
    return FoldRun(folder, cfg, row, warnings)


def validation_scores(folder: Path) -> dict[str, dict[str, Any]]:
    """Return the last and the best epoch of what training logged."""
    epochs = [
        dict(epoch=record['step'], WAR=record['dfer/WAR'], UAR=record['dfer/UAR'])
        for record in read_scalars(folder)
        if 'dfer/WAR' in record and 'loss' not in record
    ]
    if not epochs:
        raise WorkDirError(f'{folder}: no dfer/WAR in its vis_data/scalars.json')
    # The first of equals, as MMEngine keeps it.
    return dict(last=epochs[-1], best=max(epochs, key=lambda scores: scores['WAR']))


def flatten(value: Any, name: str = '') -> Iterator[tuple[str, Any]]:
    """Yield the leaves of a config by dotted name, without :data:`OWN_KEYS`."""
    if isinstance(value, Mapping):
        items = [(str(k), v) for k, v in value.items() if k not in OWN_KEYS]
    elif isinstance(value, (list, tuple)):
        items = [(str(i), v) for i, v in enumerate(value)]
    else:
        yield name, value
        return
    for key, inner in items:
        yield from flatten(inner, f'{name}.{key}' if name else key)


def differences(runs: Sequence[FoldRun]) -> list[str]:
    """Name the keys of the configs that are not the same in all runs."""
    leaves = [dict(flatten(run.config.to_dict())) for run in runs]
    lines = []
    for key in sorted(set().union(*leaves)):
        values = [repr(found.get(key, 'not set')) for found in leaves]
        if len(set(values)) > 1:
            said = ', '.join(
                f'{value} in fold {run.row["fold"]}'
                for value, run in zip(values, runs, strict=True)
            )
            lines.append(f'the folds have different configs: {key} is {said}')
    return lines


def missing_or_twice(runs: Sequence[FoldRun]) -> list[str]:
    """Name the folds that are not there exactly once."""
    counts = Counter(run.row['fold'] for run in runs)
    lines = [
        f'fold {fold} is there {count} times, and so often in the mean: '
        + ', '.join(str(run.folder) for run in runs if run.row['fold'] == fold)
        for fold, count in sorted(counts.items())
        if count > 1
    ]
    (dataset, *_) = innermost(runs[0].config.train_dataloader)
    lines += [f'fold {f} is missing' for f in folds_of(dataset) if f not in counts]
    return lines


def main() -> int:
    args = parse_args()
    try:
        folders = [run for folder in args.work_dirs for run in find_runs(folder)]
        runs = [read_run(folder) for folder in folders]
        warnings = [line for run in runs for line in run.warnings]
        warnings += [*missing_or_twice(runs), *differences(runs)]
        markdown, record = fold_table([run.row for run in runs])
    except (WorkDirError, DatasetError) as error:
        print(error, file=sys.stderr)
        return 2
    for line in warnings:
        print(f'warning: {line}', file=sys.stderr)
    print(markdown)
    if args.out:
        notes = ''.join(f'\n\nWarning: {line}.' for line in warnings)
        write_table(args.out, markdown + notes, record | dict(warnings=warnings))
        print(f'\nwritten to {args.out}.md and {args.out}.json')
    return 1 if warnings else 0


if __name__ == '__main__':
    sys.exit(main())
