"""Check a dataset on disk: ``python tools/data/prepare.py {dfew,ferv39k,mafw} ROOT``.

Decodes every file of every listed clip, compares the counts with the published ones,
and writes OUT/report.json. Interrupted, it goes on where it stopped: what was found in
each clip is in OUT/checked.jsonl. ROOT is not written to, unless you ask for frames or
lists in it. On the way it can extract frames from the videos (--extract), carve a
validation split from train (--val-split) and pack the clips into one file (--pack);
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

from ifdd_mmaction.cli import describe
from ifdd_mmaction.datasets import DatasetError
from ifdd_mmaction.datasets.prepare import (
    PROTOCOLS,
    Protocol,
    check_all,
    extract_all,
    make_dataset,
    make_report,
    pack_clips,
    read_lists,
    summarise,
    write_report,
    write_val_split,
)


def parse_args(argv: Sequence[str] | None) -> argparse.Namespace:
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
    group = parser.add_argument_group('archive')
    group.add_argument(
        '--pack', type=Path, metavar='FILE', help='write it, or verify it if it exists'
    )
    group.add_argument(
        '--decoded',
        action='store_true',
        help='pixels in place of the files as they are',
    )
    args = parser.parse_args(argv)
    if args.workers < 1:
        parser.error(f'--workers is {args.workers}, not at least 1')
    if not 1 <= args.quality <= 100:
        parser.error(f'--quality is {args.quality}, not 1 to 100')
    if args.val_split is not None and not 0 < args.val_split < 1:
        parser.error(f'--val-split is {args.val_split}, not between 0 and 1')
    if args.val_split and args.split == 'test':
        parser.error('--val-split is carved from train, not from --split test')
    if args.extract and not PROTOCOLS[args.dataset].extracted:
        parser.error(f'no release of {args.dataset} has videos to extract')
    if args.frame_dir and args.video_dir and not args.extract:
        parser.error('give one of --frame-dir and --video-dir')
    args.out = args.out or Path('work_dirs') / f'prepare_{args.dataset}'
    return args


def extract(args: argparse.Namespace, protocol: Protocol, chosen: dict) -> list[str]:
    """Extract the frames of the listed videos and return what went wrong."""
    dataset = make_dataset(protocol, args.root)
    videos = args.video_dir or dataset.VIDEO_DIRS[0]
    clips = read_lists(protocol, args.root, **chosen, video_dir=videos).clips
    place = args.root / args.frame_dir
    place.mkdir(parents=True, exist_ok=True)
    folders = [place / dataset.frame_folder(name) for name in clips]
    paths = [clip.path for clip in clips.values()]
    return extract_all(paths, folders, args.quality, args.workers)


def prepare(args: argparse.Namespace) -> int:
    """Do what the command line asks for and return the exit code."""
    protocol = PROTOCOLS[args.dataset]
    chosen: dict = {}
    if args.split:
        chosen['splits'] = (args.split,)
    if args.fold is not None:
        chosen['folds'] = (args.fold,)
    failed = []
    if args.extract:
        args.frame_dir = args.frame_dir or protocol.extracted
        failed = extract(args, protocol, chosen)
        args.video_dir = None
    lists = read_lists(
        protocol,
        args.root,
        **chosen,
        frame_dir=args.frame_dir,
        video_dir=args.video_dir,
    )
    if args.val_split:
        name = f'seed{args.seed}_{100 * args.val_split:g}pct'
        folder = args.lists or args.root / 'ifdd_splits' / name
        print(write_val_split(protocol, lists, folder, args.val_split, args.seed))
    paths = [clip.path for clip in lists.clips.values()]
    checks = check_all(paths, args.out / 'checked.jsonl', args.workers)
    report = make_report(protocol, lists, checks, compare_counts=not args.subset)
    report['root'] = str(args.root.resolve())
    report['findings']['not_extracted'] = failed
    write_report(args.out / 'report.json', report)
    print(summarise(report))
    print(f'Report: {args.out / "report.json"}')
    code = 1 if any(report['findings'].values()) else 0
    if args.pack:
        try:
            print(pack_clips(protocol, lists, checks, args.pack, args.decoded))
        except DatasetError as error:
            print(f'error: {error}', file=sys.stderr)
            return 1
    return code


def main(argv: Sequence[str] | None = None) -> int:
    args = parse_args(argv)
    try:
        return prepare(args)
    except (DatasetError, OSError) as error:
        print(f'error: {error}', file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print(f'\ninterrupted; run it again to go on ({args.out})', file=sys.stderr)
        return 130


if __name__ == '__main__':
    # A terminated run must clean up as an interrupted one does.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    sys.exit(main())
