"""Check a dataset on disk: ``python tools/data/prepare.py {dfew,ferv39k,mafw} ROOT``.

Decodes every file of every listed clip, compares the counts with the published ones,
and writes OUT/report.json. After an interruption the same command continues: the checks
of each clip are in OUT/checked.jsonl. ROOT is not written to, unless frames or lists in
it are requested. Optionally it extracts frames from the videos (--extract), draws a
validation split from train (--val-split) and packs the clips into one file (--pack);
docs/prepare_data.md has an example of each.

Exit codes: 0 all is well; 1 something was found that keeps the protocol from being
followed, or a clip could not be extracted or packed; 2 the lists or the place of the
clips cannot be read, something cannot be written, or wrong arguments; 130 interrupted.
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

from ifdd_mmaction.apis import prepare
from ifdd_mmaction.cli import describe
from ifdd_mmaction.datasets import DatasetError
from ifdd_mmaction.datasets.prepare import PROTOCOLS
from ifdd_mmaction.errors import InputError


def make_parser() -> argparse.ArgumentParser:
    about, _, codes = __doc__.partition('Exit codes:')
    parser = argparse.ArgumentParser(
        description=describe(about), epilog='Exit codes:' + codes
    )
    add = parser.add_argument
    add('dataset', choices=sorted(PROTOCOLS))
    add('root', type=Path, help='folder of the dataset')
    add('--out', type=Path, help='report and work file (work_dirs/prepare_DATASET)')
    add('--split', choices=('train', 'test'), help='this one only (both)')
    add('--fold', type=int, help='this one only (all)')
    add('--frame-dir', help='release of frames below ROOT (the one that is found)')
    add('--video-dir', help='folder of videos below ROOT to take instead')
    add('--subset', action='store_true', help='do not expect the published counts')
    cores = len(os.sched_getaffinity(0))
    add('--workers', type=int, default=cores, help='processes (%(default)s)')
    group = parser.add_argument_group('frames from videos')
    group.add_argument(
        '--extract',
        action='store_true',
        help='write them as JPEG into --frame-dir, and check those',
    )
    group.add_argument('--quality', type=int, default=95, help='JPEG (%(default)s)')
    group = parser.add_argument_group('validation split')
    group.add_argument(
        '--val-split', type=float, metavar='FRACTION', help='share of each train class'
    )
    group.add_argument('--seed', type=int, default=0, help='(%(default)s)')
    group.add_argument(
        '--lists', type=Path, help='folder (ROOT/ifdd_splits/seed0_10pct)'
    )
    group.add_argument(
        '--groups',
        type=Path,
        metavar='FILE',
        help='CSV of clip,group: no group in both lists, and a report of those that'
        ' the official folds share',
    )
    group = parser.add_argument_group('archive')
    group.add_argument(
        '--pack', type=Path, metavar='FILE', help='write it, or verify it if it exists'
    )
    group.add_argument(
        '--decoded',
        action='store_true',
        help='pixels in place of the files as they are',
    )
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    parser = make_parser()
    args = parser.parse_args(argv)
    out = args.out or Path('work_dirs') / f'prepare_{args.dataset}'
    # A terminated run must clean up as an interrupted one does.
    before = signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    try:
        report = prepare(**vars(args))
    except InputError as error:  # options that do not go together
        parser.error(str(error))
    except (DatasetError, OSError) as error:
        print(f'error: {error}', file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print(f'\ninterrupted; run it again to continue ({out})', file=sys.stderr)
        return 130
    finally:
        signal.signal(signal.SIGTERM, before)
    return 1 if any(report['findings'].values()) else 0


if __name__ == '__main__':
    sys.exit(main())
