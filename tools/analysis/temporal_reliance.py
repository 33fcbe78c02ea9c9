"""Measure how much recognizers rely on the order of frames, and on each single frame.

    python tools/analysis/temporal_reliance.py CONFIG CHECKPOINT

WAR, UAR and recall on the test split with the frames in order, shuffled, reversed,
frozen, faster, shifted, and with some of them noise, blur, black, a wrong crop,
occluded, compressed or of another clip. Any recognizer of MMAction2 and any dataset;
``--compare NAME CONFIG CHECKPOINT``, as often as needed, tests other models on the same
clips and bad frames. Writes temporal_reliance.md, .json and pictures; what the numbers
mean is in docs/temporal_reliance.md. After an interruption the same command continues.
Exit codes: 0 measured, 2 wrong data or arguments, 3 a checkpoint cannot be read or a
folder cannot be written to, 130 interrupted.
"""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from temporal_reliance_tables import to_json, to_markdown

from ifdd_mmaction.analysis import KINDS, VariantPlan
from ifdd_mmaction.apis import GivenModel, add_model_arguments, measure_reliance
from ifdd_mmaction.cli import describe, exit_code
from ifdd_mmaction.fileio import write_atomic
from ifdd_mmaction.provenance import provenance
from ifdd_mmaction.visualization import (
    plot_bad_frames,
    plot_bad_frames_read,
    plot_orders,
    save_figure,
)

STEM = 'temporal_reliance'


def parse_args(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=describe(__doc__))
    add_model_arguments(parser)
    parser.add_argument('--name', help='of the model in the tables (that of CONFIG)')
    parser.add_argument(
        '--compare',
        nargs=3,
        action='append',
        default=[],
        metavar=('NAME', 'CONFIG', 'CHECKPOINT'),
        help='another model, tested on the same clips and the same bad frames',
    )
    parser.add_argument(
        '--out', type=Path, help='folder of the results (that of the checkpoint)'
    )
    parser.add_argument(
        '--groups',
        help='CSV of clip and group, such as the film: the intervals are over groups '
        '(default: over the subjects that the dataset knows, or else over clips)',
    )
    parser.add_argument(
        '--corruptions',
        nargs='*',
        choices=KINDS,
        default=list(KINDS),
        help='kinds of bad frames; none: the order of frames only (%(default)s)',
    )
    parser.add_argument(
        '--frames',
        nargs='+',
        type=int,
        default=[1, 2, 4, 8],
        help='numbers of bad frames (%(default)s), those below the length of the clip',
    )
    parser.add_argument('--seed', type=int, default=0, help='(%(default)s)')
    parser.add_argument(
        '--batch-size', type=int, default=16, help='variants of a clip (%(default)s)'
    )
    parser.add_argument(
        '--part-size',
        type=int,
        default=32,
        help='clips that are kept together; an interrupt loses no more (%(default)s)',
    )
    args = parser.parse_args(argv)
    if min(args.batch_size, args.part_size, *args.frames) < 1 or args.seed < 0:
        parser.error('--frames, --batch-size, --part-size: at least 1; --seed: 0')
    name = args.name or Path(args.config).stem
    first = GivenModel(name, args.config, args.checkpoint)
    args.models = [first, *(GivenModel(*words) for words in args.compare)]
    names = [given.name for given in args.models]
    if len(set(names)) < len(names):
        parser.error(f'two models of one name: {", ".join(names)}')
    if bad := [name for name in names if not re.fullmatch(r'\w[\w.+ -]*', name)]:
        parser.error(f'{bad[0]!r} cannot be the name of a folder: give another')
    return args


def measure(args: argparse.Namespace, out: Path) -> dict[str, Any]:
    """Test all models."""
    report = measure_reliance(
        args.models,
        out / f'{STEM}_scores',
        VariantPlan(
            tuple(args.corruptions), tuple(sorted(set(args.frames))), args.seed
        ),
        groups_file=args.groups,
        batch_size=args.batch_size,
        part_size=args.part_size,
        device=args.device,
        split=args.split,
        fold=args.fold,
        data_root=args.data_root,
        cfg_options=args.cfg_options,
    )
    return report | provenance()


def write(report: dict[str, Any], out: Path) -> None:
    """Write tables, numbers and pictures."""
    text = to_markdown(report)
    write_atomic(out / f'{STEM}.md', text.encode())
    write_atomic(out / f'{STEM}.json', to_json(report).encode())
    written = [f'{STEM}.md', f'{STEM}.json']
    models = report['models']
    present = len(report['classes']) - len(report['absent_classes'])
    figures = {'orders': plot_orders(models, present)}
    noisy = {n: m for n, m in models.items() if any(m['noisy'].values())}
    if noisy:
        figures['bad_frames'] = plot_bad_frames(noisy, present)
    splits = {n: m for n, m in noisy.items() if m['indexes']}
    if splits:
        figures['indexes'] = plot_bad_frames_read(splits)
    for name, figure in figures.items():
        save_figure(figure, out / f'{STEM}_{name}.png', dpi=150)
        written.append(f'{STEM}_{name}.png')
    print(text)
    print(*(out / name for name in written), sep='\n')


def main(argv: Sequence[str] | None = None) -> int:
    args = parse_args(argv)
    out = args.out or Path(args.checkpoint).parent
    try:
        return exit_code(lambda: write(measure(args, out), out))
    except KeyboardInterrupt:
        print(f'\ninterrupted: the same command continues in {out}', file=sys.stderr)
        return 130


if __name__ == '__main__':
    sys.exit(main())
