"""Fit the temperature of a checkpoint on the validation split of its config.

    python tools/calibrate.py CONFIG CHECKPOINT

The temperature divides the logits of predictions that ask for it (``--calibrated``),
and is written into the metadata of the checkpoint; the weights stay. Exit codes:
0 fitted and written, 2 wrong data or arguments, or no temperature can be fitted,
3 the checkpoint cannot be read or written.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ifdd_mmaction.apis import calibrate
from ifdd_mmaction.cli import add_cfg_options, describe, exit_code
from ifdd_mmaction.fileio import write_atomic
from ifdd_mmaction.provenance import provenance

#: The scores, and what each is multiplied by to be printed in its unit.
SCORES = {
    'NLL': (1, ''),
    'ECE': (100, ' %'),
    'classwise_ECE': (100, ' %'),
    'Brier': (1, ''),
    'AURC': (100, ' %'),
}


def parse_args(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=describe(__doc__))
    parser.add_argument('config', help='config file, or its name in the zoo')
    parser.add_argument('checkpoint', help='checkpoint file')
    parser.add_argument('--out', help='another file to write (the checkpoint)')
    parser.add_argument('--fold', type=int, help='fold of all datasets')
    parser.add_argument('--device', default='', help='of PyTorch (the best one)')
    parser.add_argument('--json', type=Path, help='file for the temperature and scores')
    add_cfg_options(parser)
    return parser.parse_args(argv)


def table(found: Mapping[str, Any]) -> str:
    """Lay out the scores before and after."""
    unread = f', {len(found["unread"])} unread' if found['unread'] else ''
    lines = [
        f'{found["clips"]} validation clips{unread}, views of each: {found["views"]}',
        f'{"":14}{"before":>10}{"after":>10}',
    ]
    for name, (factor, unit) in SCORES.items():
        before, after = (
            f'{factor * found[when][name]:.{2 if unit else 4}f}{unit}'
            for when in ('before', 'after')
        )
        lines.append(f'{name:14}{before:>10}{after:>10}')
    if absent := found['classes_without_clips']:
        lines.append(f'without clips, left out of classwise_ECE: {", ".join(absent)}')
    return '\n'.join(lines)


def run(args: argparse.Namespace) -> None:
    options = vars(args)
    report = options.pop('json')
    found = calibrate(**options)
    print(table(found))
    print(f'temperature {found["temperature"]:.4f}: {args.out or args.checkpoint}')
    if report:
        record = found | provenance()
        write_atomic(report, f'{json.dumps(record, indent=1)}\n'.encode())


def main(argv: Sequence[str] | None = None) -> int:
    args = parse_args(argv)
    return exit_code(lambda: run(args))


if __name__ == '__main__':
    sys.exit(main())
