"""Train and test a list of configs over seeds and folds, and make one table of it.

    python tools/analysis/ablate.py configs/ablation/components_*.py \\
        --base ifdd_vit_sample --data-root data/sample_dfew --seeds 0 1 2 \\
        --work-dir work_dirs/ablation --out docs/ablation/sample

A run that is finished is not run again and an interrupted one is resumed, so the same
command continues where it stopped. The table holds mean, standard deviation (n - 1)
and n of the last epoch's scores, as Markdown and JSON, and with ``--reference NAME``
the difference of UAR from that config, paired by seed and fold, with its 95 % interval
by Student's t. Exit codes: 0 all runs are in the table, 1 some failed, 2 wrong
arguments, 130 interrupted.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import sys
import time
from collections.abc import Mapping
from itertools import takewhile
from pathlib import Path
from typing import Any

from ifdd_mmaction.cli import add_base, add_cfg_options, describe
from ifdd_mmaction.engine.runs import SCORES, Run, RunError, claim, execute_all
from ifdd_mmaction.errors import InputError
from ifdd_mmaction.evaluation import (
    mean_interval,
    mean_std,
    percent,
    signed_percent,
    write_table,
)
from ifdd_mmaction.provenance import provenance

TOOLS = Path(__file__).resolve().parents[1]


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=describe(__doc__))
    parser.add_argument('configs', nargs='+', type=Path)
    parser.add_argument('--seeds', nargs='+', type=int, default=[0, 1, 2])
    parser.add_argument('--folds', nargs='+', type=int, default=[None])
    add_base(parser)
    parser.add_argument('--data-root', help='data root of all loaders')
    parser.add_argument('--work-dir', type=Path, default=Path('work_dirs/ablation'))
    parser.add_argument(
        '--out', type=Path, help='write OUT.md and OUT.json (default: WORK_DIR/table)'
    )
    parser.add_argument('--reference', metavar='NAME', help='config to compare with')
    parser.add_argument('--jobs', type=int, default=1, help='runs at a time')
    add_cfg_options(parser, 'KEY=VALUE into every config', as_words=True)
    args = parser.parse_args()
    names = [config.stem for config in args.configs]
    if missing := [str(c) for c in args.configs if not c.is_file()]:
        parser.error(f'no config {", ".join(missing)}')
    if len(set(names)) < len(names):
        parser.error(f'two configs of one name: {", ".join(sorted(names))}')
    if args.reference not in (None, *names):
        parser.error(f'--reference {args.reference} is none of {", ".join(names)}')
    return args


def plan(args: argparse.Namespace) -> list[Run]:
    """Return all runs: every config has one before a config has its second."""
    options = list(args.cfg_options)
    if args.data_root:
        loaders = [f'{name}_dataloader' for name in ('train', 'val', 'test')]
        options += [f'{name}.dataset.data_root={args.data_root}' for name in loaders]
    return [
        Run(
            tools=TOOLS,
            config=config,
            folder=args.work_dir / config.stem / run_name(fold, seed),
            base=args.base,
            fold=fold,
            seed=seed,
            options=options,
            tests=('last',),
            threads=max(1, (os.cpu_count() or 1) // args.jobs),
        )
        for seed in args.seeds
        for fold in args.folds
        for config in args.configs
    ]


def run_name(fold: int | None, seed: int) -> str:
    return f'seed{seed}' if fold is None else f'fold{fold}_seed{seed}'


def first_sentence(config: Path) -> str:
    """Return the first sentence of a config's comment, which says what it is."""
    lines = config.read_text(encoding='utf-8').splitlines()
    comment = ' '.join(x[1:].strip() for x in takewhile(lambda x: x[:1] == '#', lines))
    return re.split(r'\.(?:\s+(?=[A-Z])|$)', comment)[0] or config.stem


def summarize(
    results: dict[Path, list[dict]], reference: str | None
) -> list[dict[str, Any]]:
    """Return a row for each config: mean, deviation and n of each score."""
    rows = []
    for config, runs in results.items():
        row: dict[str, Any] = dict(
            config=config.stem, what=first_sentence(config), runs=runs
        )
        row |= {score: mean_std([run[score] for run in runs]) for score in SCORES}
        rows.append(row)
    for other in (row for row in rows if row['config'] == reference):
        for row in rows:
            if row is not other:
                row['difference'] = difference(row['runs'], other['runs'])
    return rows


def difference(runs: list[dict], others: list[dict]) -> dict[str, Any]:
    """Return the mean difference of UAR, paired by fold and seed, and its interval."""
    ours, theirs = (
        {(run['fold'], run['seed']): run['UAR'] for run in given}
        for given in (runs, others)
    )
    return mean_interval([ours[k] - theirs[k] for k in ours if k in theirs])


def to_markdown(record: Mapping[str, Any]) -> str:
    """Lay out the table of a record, as its JSON has it."""
    reference = record.get('reference')
    heading = ['config', 'what', 'WAR (%)', 'UAR (%)', 'macro F1 (%)', 'n']
    heading += [f'UAR - `{reference}`'] if reference else []
    lines = [heading, ['---'] * len(heading)]
    for row in record['rows']:
        cells = [percent(row[score], digits=1) for score in SCORES]
        cells = [f'`{row["config"]}`', row['what'], *cells, str(len(row['runs']))]
        if reference:
            found = row.get('difference')
            cells.append(signed_percent(found) if found else '')
        lines.append(cells)
    return '\n'.join(f'| {" | ".join(cells)} |' for cells in lines)


def commits(runs: list[Run]) -> str:
    """Return the commits that finished runs were made with."""
    files = [run.folder / 'scores.json' for run in runs]
    read = [json.loads(f.read_text()) for f in files if f.is_file()]
    return ', '.join(sorted({scores.get('commit', 'unknown') for scores in read}))


def main() -> int:
    args = parse_args()
    runs = plan(args)
    try:
        claim(runs)
    except (InputError, RunError) as error:
        print(error, file=sys.stderr)
        return 2
    results: dict[Path, list[dict]] = {config: [] for config in args.configs}
    begin = time.monotonic()
    try:
        for count, (run, found) in enumerate(execute_all(runs, args.jobs), start=1):
            if isinstance(found, RunError):
                said = f'FAILED: {found}'
            else:
                scores = found['last']
                results[run.config].append(dict(fold=run.fold, seed=run.seed, **scores))
                said = '  '.join(f'{k} {100 * scores[k]:.2f} %' for k in SCORES)
            minutes = (time.monotonic() - begin) / 60
            where = f'[{count}/{len(runs)}, {minutes:.1f} min]'
            name = f'{run.config.stem} {run.folder.name}'
            print(f'{where} {name}: {said}', flush=True)
    except KeyboardInterrupt:
        print('interrupted: the same command continues', file=sys.stderr)
        return 130
    for found in results.values():
        found.sort(key=lambda run: (run['fold'] or 0, run['seed']))
    out = args.out or args.work_dir / 'table'
    record = dict(
        provenance(),
        commit=commits(runs),
        configs=[str(config) for config in args.configs],
        base=args.base,
        cfg_options=args.cfg_options,
        seeds=args.seeds,
        folds=args.folds,
        reference=args.reference,
        rows=summarize(results, args.reference),
    )
    markdown = to_markdown(record)
    write_table(out, markdown, record)
    print(f'\n{markdown}\n\nwritten to {out}.md and {out}.json')
    return 0 if sum(map(len, results.values())) == len(runs) else 1


if __name__ == '__main__':
    sys.exit(main())
