"""What training costs as clips and batches grow: ``tools/analysis/scaling.py CONFIG``.

One of frames, resolution and batch grows while the other two stay (``--base``). At each
point the config's own attention and MMAction2's take turns; time and peak memory of a
training step are taken as by ``benchmark.py``. A point that, by its arithmetic and the
point before it, would take more than ``--max-seconds`` or ``--max-memory`` is left out,
and the plot and the table say so.

Writes OUT.json after every point, where an interrupted run continues, OUT.md and
OUT.png. Exit codes: 0 measured, 2 wrong arguments.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
from benchmark import add_setup, read_setup
from contenders import REFERENCE, Contender, count_flops, peak_memory
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator
from measuring import Setup, take_turns

from ifdd_mmaction.fileio import write_atomic
from ifdd_mmaction.visualization.style import BLUE, ORANGE, STYLE, save_figure

NAMES = ('ours', REFERENCE)
LABELS = dict(frames='frames', size='height and width', batch='clips in a batch')


def parse_args(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('config', type=Path)
    parser.add_argument('--frames', nargs='+', type=int, default=[8, 16, 32, 64])
    parser.add_argument('--size', nargs='+', type=int, default=[112, 160, 224, 320])
    parser.add_argument('--batch', nargs='+', type=int, default=[1, 2, 4, 8])
    parser.add_argument(
        '--base',
        nargs=3,
        type=int,
        metavar=('FRAMES', 'SIZE', 'BATCH'),
        default=(16, 224, 1),
        help='default: %(default)s',
    )
    add_setup(parser)
    parser.add_argument('--rounds', type=int, default=3)
    parser.add_argument(
        '--max-seconds', type=float, default=60, help='of a step (default: %(default)s)'
    )
    parser.add_argument(
        '--max-memory', type=float, default=8, help='GiB (default: %(default)s)'
    )
    parser.add_argument('--out', type=Path, default=Path('work_dirs/scaling'))
    args = parser.parse_args(argv)
    if not args.config.is_file():
        parser.error(f'{args.config}: no such config')
    return args


def main(argv: Sequence[str] | None = None) -> int:
    args = parse_args(argv)
    setup = read_setup(args)
    path = args.out.with_suffix('.json')
    asked = dict(config=str(args.config), base=list(args.base), rounds=args.rounds)
    result = json.loads(path.read_text()) if path.exists() else {}
    if {k: result.get(k) for k in asked} != asked:
        result = dict(asked, environment=setup.describe(), sweeps={})
    for axis in LABELS:
        points = result['sweeps'].setdefault(axis, {})
        before = None
        for value in sorted(getattr(args, axis)):
            clip, batch = point(args.base, axis, value)
            if str(value) not in points:
                flops = count_flops(args.config, REFERENCE, clip) * batch
                points[str(value)] = measure(flops, before, clip, batch, args, setup)
                write_atomic(path, json.dumps(result, indent=1).encode())
                print(axis, value, points[str(value)], file=sys.stderr)
            before = points[str(value)]
    text = to_markdown(result)
    write_atomic(args.out.with_suffix('.md'), text.encode())
    save_figure(plot(result), args.out.with_suffix('.png'))
    print(text)
    return 0


def point(
    base: Sequence[int], axis: str, value: int
) -> tuple[tuple[int, int, int], int]:
    """Return the clip (T, H, W) and the batch of a point on an axis."""
    frames, size, batch = (
        value if name == axis else own for name, own in zip(LABELS, base, strict=True)
    )
    return (frames, size, size), batch


def measure(
    flops: int,
    before: dict[str, Any] | None,
    clip: tuple[int, int, int],
    batch: int,
    args: argparse.Namespace,
    setup: Setup,
) -> dict[str, Any]:
    """Measure a point, or say why not."""
    row: dict[str, Any] = dict(gflops=round(flops / 1e9, 4))
    if before:
        growth = row['gflops'] / before['gflops']
        for unit, limit in (('seconds', args.max_seconds), ('gib', args.max_memory)):
            known = before['skipped'] if 'skipped' in before else before[REFERENCE]
            if unit in known and known[unit] * growth > limit:
                return dict(row, skipped={unit: round(known[unit] * growth, 1)})
    # Before anything else runs: the peak of a process never falls.
    memory = {n: peak_memory(args.config, n, batch, clip, setup) for n in NAMES}
    runs = {n: Contender(args.config, n, batch, clip, setup).step for n in NAMES}
    seconds, _ = take_turns(runs, args.rounds, setup, warm_up=before is None)
    for name in NAMES:
        row[name] = dict(
            seconds=round(float(np.median(seconds[name])), 3),
            gib=round(memory[name] / 1024, 3),
        )
    ratios = np.divide(seconds[REFERENCE], seconds['ours'])
    return dict(row, speedup=round(float(np.median(ratios)), 3))


def to_markdown(result: dict[str, Any]) -> str:
    """Write the result as a table."""
    lines = [
        '| | | seconds, stock | ours | times stock | GiB, stock | ours | of stock |',
        '|---|---|---|---|---|---|---|---|',
    ]
    for axis, points in result['sweeps'].items():
        for value, row in points.items():
            if 'skipped' in row:
                ((unit, estimate),) = row['skipped'].items()
                unit = dict(seconds='s', gib='GiB')[unit]
                cells = [f'not measured: about {estimate:g} {unit} for stock']
                cells += [''] * 5
            else:
                ours, stock = row['ours'], row[REFERENCE]
                cells = [f'{stock["seconds"]:.3g}', f'{ours["seconds"]:.3g}']
                cells += [f'{row["speedup"]:.2f}']
                cells += [f'{stock["gib"]:.2f}', f'{ours["gib"]:.2f}']
                cells += [f'{ours["gib"] / stock["gib"]:.2f}']
            lines.append(f'| {LABELS[axis]} | {value} | ' + ' | '.join(cells) + ' |')
    return '\n'.join(lines) + '\n'


@matplotlib.rc_context(STYLE)
def plot(result: dict[str, Any]) -> Figure:
    """Draw time and memory along each axis."""
    frames, size, batch = result['base']
    figure = Figure(figsize=(9, 5), layout='constrained')
    panels = figure.subplots(2, len(LABELS), sharex='col', sharey='row')
    for column, axis in zip(panels.T, LABELS, strict=True):
        points = result['sweeps'][axis]
        done = {int(v): row for v, row in points.items() if 'skipped' not in row}
        for panel, unit in zip(column, ('seconds', 'gib'), strict=True):
            for name, color in zip(NAMES, (BLUE, ORANGE), strict=True):
                values = [row[name][unit] for row in done.values()]
                panel.plot(list(done), values, marker='o', color=color, label=name)
            panel.set(xscale='log', yscale='log')
            panel.set_xticks([int(value) for value in points], labels=list(points))
            panel.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
            panel.yaxis.set_major_formatter('{x:g}')
            panel.minorticks_off()
        skipped = ', '.join(v for v, row in points.items() if 'skipped' in row)
        note = f'\n(not measured: {skipped})' if skipped else ''
        column[1].set_xlabel(LABELS[axis] + note)
    panels[0, 0].set_ylabel('training step, s')
    panels[1, 0].set_ylabel('its memory, GiB')
    panels[0, 0].legend()
    figure.suptitle(
        f'One grows; the others stay at {frames} frames, {size} x {size}, batch {batch}'
    )
    return figure


if __name__ == '__main__':
    sys.exit(main())
