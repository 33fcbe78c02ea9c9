"""The model zoo: ``ifdd zoo list``, ``ifdd zoo download NAME``.

``python tools/zoo.py`` is the same. ``list`` shows the released checkpoints,
``download`` puts one, with its config, into a folder. Exit codes: 0 done, 2 there is no
such model, it cannot be fetched, or the folder cannot be written.
"""

from __future__ import annotations

import argparse
import fnmatch
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml
from mmaction.registry import DATASETS

from ifdd_mmaction.apis import get_checkpoint, get_config, list_models
from ifdd_mmaction.apis.zoo import zoo_root
from ifdd_mmaction.cli import describe
from ifdd_mmaction.errors import InputError
from ifdd_mmaction.fileio import write_atomic


def parse_args(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=describe(__doc__))
    commands = parser.add_subparsers(required=True, metavar='list|download')
    shown = commands.add_parser('list', help='the released checkpoints, a line each')
    shown.add_argument(
        'pattern', nargs='?', default='*', help="of the names, such as '*vit*'"
    )
    shown.add_argument(
        '--all', action='store_true', help='configs without a checkpoint too'
    )
    shown.set_defaults(run=show)
    fetched = commands.add_parser('download', help='put checkpoints into a folder')
    fetched.add_argument('names', nargs='+', metavar='NAME', help='as listed')
    fetched.add_argument(
        '--out', type=Path, default=Path(), help='folder (the current one)'
    )
    fetched.set_defaults(run=fetch)
    return parser.parse_args(argv)


def entries() -> dict[str, dict[str, Any]]:
    """Return what model-index.yml says of each released model."""
    root = zoo_root()
    index = yaml.safe_load((root / 'model-index.yml').read_text('utf-8'))
    return {
        entry['Name']: entry
        for metafile in index['Import']
        for entry in yaml.safe_load((root / metafile).read_text('utf-8'))['Models']
    }


def row(name: str, entry: dict[str, Any]) -> list[str]:
    """Return the cells of a released model."""
    dataset = get_config(name).test_dataloader.dataset
    classes = (dataset.get('metainfo') or {}).get('classes')
    classes = classes or DATASETS.get(dataset.type).METAINFO['classes']
    about, result = entry['Metadata'], entry['Results'][0]
    metrics = (f'{key} {value} %' for key, value in result['Metrics'].items())
    return [
        name,
        ', '.join(classes),
        about['Training Data'],
        f'{about["Parameters"] / 1e6:.2f} M parameters',
        ', '.join(metrics),
    ]


def show(args: argparse.Namespace) -> None:
    known = entries()
    rows = [
        row(name, entry)
        for name, entry in sorted(known.items())
        if fnmatch.fnmatchcase(name, args.pattern)
    ]
    if args.all:
        rows += [
            [name, 'no checkpoint is released']
            for name in list_models(args.pattern)
            if name not in known
        ]
    if not rows:
        raise InputError(f'no model {args.pattern}: there are {", ".join(known)}')
    for cells in rows:
        print('  '.join(cells))


def fetch(args: argparse.Namespace) -> None:
    # All are fetched before one is written.
    found = [(name, get_checkpoint(name), get_config(name)) for name in args.names]
    args.out.mkdir(parents=True, exist_ok=True)
    for name, source, cfg in found:
        target = args.out / source.name
        write_atomic(target, source.read_bytes())
        write_atomic(args.out / f'{name}.py', cfg.pretty_text.encode())
        print(f'{target}, its config {args.out / name}.py')


def main(argv: Sequence[str] | None = None) -> int:
    args = parse_args(argv)
    try:
        args.run(args)
    except (InputError, OSError) as error:
        print(error, file=sys.stderr)
        return 2
    return 0


if __name__ == '__main__':
    sys.exit(main())
