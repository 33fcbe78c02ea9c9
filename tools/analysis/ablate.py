"""Train and test a list of configs over seeds and folds, and make one table of it.

    python tools/analysis/ablate.py configs/ablation/components_*.py \\
        --base ifdd_vit_sample --data-root data/sample_dfew --seeds 0 1 2 \\
        --work-dir work_dirs/ablation --out docs/ablation/sample

A run that is finished is not run again and an interrupted one is resumed, so the same
command continues where it stopped. The table holds mean, standard deviation (n - 1)
and n of the last epoch's scores, as Markdown and JSON. Exit codes: 0 all runs
are in the table, 1 some failed, 2 wrong arguments, 130 interrupted.
"""

from __future__ import annotations

import argparse
import os
import platform
import re
import sys
import time
from itertools import takewhile
from pathlib import Path
from typing import Any

import torch

from ifdd_mmaction.cli import add_base, add_cfg_options, describe
from ifdd_mmaction.engine.runs import SCORES, Run, RunError, claim, execute_all
from ifdd_mmaction.errors import InputError
from ifdd_mmaction.evaluation import mean_std, percent, write_table

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
    parser.add_argument('--jobs', type=int, default=1, help='runs at a time')
    add_cfg_options(parser, 'KEY=VALUE into every config', as_words=True)
    args = parser.parse_args()
    names = [config.stem for config in args.configs]
    if missing := [str(c) for c in args.configs if not c.is_file()]:
        parser.error(f'no config {", ".join(missing)}')
    if len(set(names)) < len(names):
        parser.error(f'two configs of one name: {", ".join(sorted(names))}')
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


def table(results: dict[Path, list[dict]]) -> tuple[str, list[dict]]:
    """Return the results as Markdown and as rows."""
    lines = ['| config | what | WAR (%) | UAR (%) | macro F1 (%) | n |']
    lines.append('| --- | --- | --- | --- | --- | --- |')
    rows = []
    for config, runs in results.items():
        row: dict[str, Any] = dict(
            config=config.stem, what=first_sentence(config), runs=runs
        )
        row |= {score: mean_std([run[score] for run in runs]) for score in SCORES}
        rows.append(row)
        cells = [percent(row[score], digits=1) for score in SCORES]
        cells = [f'`{config.stem}`', row['what'], *cells, str(len(runs))]
        lines.append(f'| {" | ".join(cells)} |')
    return '\n'.join(lines), rows


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
    markdown, rows = table(results)
    out = args.out or args.work_dir / 'table'
    record = dict(
        rows=rows,
        seeds=args.seeds,
        folds=args.folds,
        base=args.base,
        cfg_options=args.cfg_options,
        environment=dict(
            torch=torch.__version__,
            python=platform.python_version(),
            cpus=os.cpu_count(),
        ),
    )
    write_table(out, markdown, record)
    print(f'\n{markdown}\n\nwritten to {out}.md and {out}.json')
    return 0 if sum(map(len, results.values())) == len(runs) else 1


if __name__ == '__main__':
    sys.exit(main())
