"""Make clips of photographed people with expressions, in the layout of DFEW.

A head model is fitted to portraits of neutral faces, takes their texture, and is moved
by facial actions; the rest of the portrait, hair and neck, moves along. The people are
real, the expressions are computed.

    python tools/data/make_photo_faces.py OUT --photos webmorphR.stim --heads ICT
    python tools/data/make_photo_faces.py OUT --photos webmorphR.stim --photo-clips

The second command makes clips of the photographs themselves, neutral and neutral faded
to a smile, for testing. The first never uses photos of smiles. docs/photo_faces.md says
where both sources come from. A run that was stopped goes on if it is started again.

Exit codes: 0 made or there already, 2 an input, an argument or the disk must be
changed, 130 interrupted, 143 terminated.
"""

import argparse
import importlib.util
import json
import os
import signal
import sys
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from photo_faces import layout
from photo_faces.actions import FURTHER_UNITS, LABELS, PROTOTYPES, UNITS
from photo_faces.heads import model_checksum, read_model, save_model
from photo_faces.people import (
    ATTRIBUTION,
    Person,
    assign_folds,
    checksum,
    find_people,
)
from photo_faces.script import LEAST
from photo_faces.variety import FURTHER

from ifdd_mmaction.cli import check_ranges
from ifdd_mmaction.errors import UNWRITABLE, InputError
from ifdd_mmaction.progress import track

GENERATOR = 'make_photo_faces'
VERSION = 4
#: People are in the same fold in all sets, so that a model that was trained on one can
#: be tested on another.
FOLDS, FOLD_SEED = 5, 0
#: Standard deviation of the modes of identity that are added to a clip's face.
CHANGE = 0.4
HEADS = (
    'Li, R., et al. (2020). Learning Formation of Physically-Based Face Attributes. '
    'CVPR 2020. ICT-FaceKit, https://github.com/ICT-VGL/ICT-FaceKit, MIT license, '
    '(c) 2020 USC Institute for Creative Technologies.'
)


def describe(args: argparse.Namespace, people: list[Person]) -> dict[str, Any]:
    """Return all that decides what a set looks like, kept in its ``sample.json``."""
    sets = sorted({person.name.split('_')[0] for person in people} & set(ATTRIBUTION))
    facts: dict[str, Any] = {
        'generator': GENERATOR,
        'version': VERSION,
        'mode': 'photos' if args.photo_clips else 'expressions',
        'people': len(people),
        'clips_of_a_class': 1 if args.photo_clips else args.clips,
        'size': args.size,
        'frames': args.frames,
        'seed': args.seed,
        'folds': FOLDS,
        'labels': {name: i + 1 for i, name in enumerate(LABELS)},
        'attribution': [ATTRIBUTION[name] for name in sets],
        'photos': {
            person.name: {
                'sha256': checksum(person.photo),
                'template': checksum(person.template) if person.template else None,
                **({'smile': checksum(person.smile)} if args.photo_clips else {}),
            }
            for person in people
        },
    }
    if args.photo_clips:
        facts['smile'] = 'how much wider the mouth gets, in distances of the eyes'
    else:
        facts['attribution'].append(HEADS)
        heads = model_checksum(args.heads)
        facts |= {'heads': heads, 'prototypes': PROTOTYPES, 'units': UNITS}
        facts |= {'change': args.change, 'intensity': args.intensity}
        if args.mix:
            facts['mix'] = args.mix
        if args.variety:
            facts |= {'variety': args.variety, 'further_prototypes': FURTHER}
            facts['further_units'] = FURTHER_UNITS
        if args.hands:
            facts['hands'] = args.hands
    return json.loads(json.dumps(facts))  # as it is read back


def make_set(args: argparse.Namespace) -> str:
    """Make the set that the command line asks for, and return what to say."""
    if importlib.util.find_spec('numba') is None:
        raise InputError(
            "the package numba is missing: pip install 'ifdd-mmaction[photo-faces]'"
        )
    try:  # They need numba, --help does not.
        from photo_faces.jobs import do_jobs, plan_jobs
    except ImportError as error:  # PyAV does not load on every system
        raise InputError(f'a package cannot be loaded: {error}') from error

    people = find_people(args.photos)
    folds = assign_folds(people, FOLDS, FOLD_SEED)
    if args.photo_clips:
        people = [person for person in people if person.smile]
        if not people:
            raise InputError(
                f'{", ".join(map(str, args.photos))} holds no inst/smiling_front: '
                '--photo-clips needs the London set'
            )
    if args.people:
        order = np.random.default_rng([args.seed, 6]).permutation(len(people))
        people = [people[i] for i in sorted(order[: args.people].tolist())]
    used = [folds[person.name] for person in people]
    if args.mix and len(set(used)) == len(used):
        raise InputError(
            f'--mix mixes people of one fold, and no two of the {len(people)} people '
            'are in one: add photos, or leave --mix out'
        )
    facts = describe(args, people)
    root = layout.start(args.out, facts, args.force)
    if root is None:
        return f'{args.out} already holds this set, nothing to do.'
    labels = [3, 1] if args.photo_clips else list(range(1, len(LABELS) + 1))
    each = facts['clips_of_a_class']
    jobs = plan_jobs(
        people, labels, each, root, args.seed, args.size, args.frames, facts['mode'],
        args.change,
        args.intensity, args.mix, folds, args.variety, args.hands,
    )  # fmt: skip
    records = {job.subject: layout.read_record(root, job.subject) for job in jobs}
    left = [job for job in jobs if records[job.subject] is None]
    model = None
    if left and not args.photo_clips:
        model = root / layout.RECORDS / 'head.npz'
        save_model(read_model(args.heads), model)
    # OpenCV's threads have to end before the workers are forked: ending them in a fork,
    # which does not have them, waits for ever.
    cv2.setNumThreads(0)
    done = len(jobs) - len(left)
    made = do_jobs(left, model, min(args.workers, max(len(left), 1)))
    what = f'Making the clips of {len(jobs)} people'
    for job, record in zip(left, track(made, len(jobs), what, done=done), strict=True):
        records[job.subject] = record
    write_pictures(root, jobs, records)
    write_tables(root, people, [folds[p.name] for p in people], records, args)
    layout.finish(root, args.out)
    count = len(jobs) * len(labels) * each
    return f'{args.out}: {count} clips of {len(jobs)} people.'


def write_pictures(root: Path, jobs: list[Any], records: dict[int, Any]) -> None:
    """Write pages of people and clips to look at."""
    from photo_faces import sheet

    pictures = [layout.picture_path(root, job.subject) for job in jobs]
    rows = [row for job in jobs for row in records[job.subject]['rows']]
    rows = sorted(rows, key=lambda row: row['id'])[: sheet.CLIPS]
    folder = layout.clip_folder(root, jobs[0].size, jobs[0].frames)
    sheet.write_sheets(
        root,
        [path for path in pictures if path.is_file()],
        [(folder / f'{row["id"]:05d}', LABELS[row['label'] - 1]) for row in rows],
    )


def write_tables(
    root: Path, people: list[Person], fold: list[int], records: dict[int, Any],
    args: argparse.Namespace,
) -> None:  # fmt: skip
    """Write everything but the clips."""
    pairs = [
        pair
        for record in records.values()
        for pair in zip(record['rows'], record['strengths'], strict=True)
    ]
    pairs.sort(key=lambda pair: pair[0]['id'])
    rows = [row for row, _ in pairs]
    np.save(root / 'envelope.npy', np.array([s for _, s in pairs], np.float16))
    layout.write_table(root / 'clips.csv', rows)
    layout.write_table(
        root / 'people.csv',
        [
            {
                'subject': i, 'name': person.name, 'age': person.age,
                'gender': person.gender, 'ethnicity': person.ethnicity,
                'fold': fold[i] + 1, **records[i]['facts'],
            }
            for i, person in enumerate(people)
        ],
    )  # fmt: skip
    layout.write_lists(root, rows, fold, FOLDS, train=not args.photo_clips)
    facts = layout.seen_facts(root) or {}
    lines = ['Made from:', *facts['attribution'], '', 'The pictures were changed.']
    (root / 'ATTRIBUTION.txt').write_text('\n'.join(lines) + '\n')


def parse_args(argv: list[str] | None) -> argparse.Namespace:
    """Read and check the command line."""
    parser = argparse.ArgumentParser(
        description='Make clips of photographed people with expressions, in the layout '
        'of DFEW.'
    )
    parser.add_argument('out', type=Path, help='folder to create')
    parser.add_argument(
        '--photos',
        type=Path,
        nargs='+',
        required=True,
        help='clone of webmorphR.stim, and folders of portraits of your own',
    )
    parser.add_argument('--heads', type=Path, help='clone of ICT-FaceKit')
    parser.add_argument(
        '--photo-clips',
        action='store_true',
        help='clips of the photographs themselves, for testing: neutral, and neutral '
        'faded to a smile',
    )
    parser.add_argument(
        '--clips', type=int, default=4, help='clips of each class and person'
    )
    parser.add_argument('--people', type=int, default=0, help='only n of the people')
    parser.add_argument('--size', type=int, default=112, help='frame edge, pixels')
    parser.add_argument('--frames', type=int, default=16, help='frames of a clip')
    parser.add_argument('--seed', type=int, default=0)
    parser.add_argument(
        '--intensity',
        type=float,
        default=LEAST,
        help='smallest intensity of an expression at its apex, 0..1',
    )
    parser.add_argument(
        '--change',
        type=float,
        default=CHANGE,
        help='how much the shape of the face of a clip differs from that of the photo: '
        'standard deviation of the modes of identity; 0 keeps the shape',
    )
    parser.add_argument(
        '--mix',
        type=float,
        default=0,
        help='largest share of the skin of another person of the fold in that of a '
        'clip, 0..1: a set has more faces than photos',
    )
    parser.add_argument(
        '--variety',
        type=float,
        default=0,
        help='probability of a further variant of the class, such as crying, 0..1; if '
        'it is not 0, people differ in how they show an expression, and eyes close',
    )
    parser.add_argument(
        '--hands',
        type=float,
        default=0,
        help='probability of a hand in front of the face, 0..1',
    )
    cores = os.cpu_count() or 1
    parser.add_argument('--workers', type=int, default=cores, help='processes')
    parser.add_argument('--force', action='store_true', help='replace an older set')
    args = parser.parse_args(argv)
    if args.heads is None and not args.photo_clips:
        parser.error('--heads is missing: the folder of a clone of ICT-FaceKit')
    if args.photo_clips and (args.variety or args.hands):
        parser.error('--variety and --hands are for computed clips, not --photo-clips')
    ranges = (
        ('clips', 1, 99, 'ids have five digits'),
        ('people', 0, 9999, '0 is all'),
        ('size', 32, 224, 'photos have no more pixels'),
        ('frames', 4, 999, 'fewer frames show no course'),
        ('seed', 0, 2**31, 'it is a seed'),
        ('change', 0, 1, 'more is no face'),
        ('intensity', 0.05, 1, '1 is the strongest'),
        ('mix', 0, 1, '1 is all of it'),
        ('variety', 0, 1, 'it is a probability'),
        ('hands', 0, 1, 'it is a probability'),
        ('workers', 1, 4096, 'somebody has to draw'),
    )
    check_ranges(parser, args, ranges)
    args.out = args.out.resolve()
    return args


def main(argv: list[str] | None = None) -> int:
    """Make the set that the command line asks for and return the exit code."""
    args = parse_args(argv)
    try:
        print(make_set(args))
    except InputError as error:
        print(f'error: {error}', file=sys.stderr)
        return 2
    except OSError as error:
        if error.errno not in UNWRITABLE:
            raise
        print(
            f'error: {error.filename or args.out} cannot be written: {error.strerror}; '
            'start the same command again when it can: what is complete is kept',
            file=sys.stderr,
        )
        return 2
    except KeyboardInterrupt:
        return 130
    return 0


if __name__ == '__main__':
    # A terminated run ends its processes as an interrupted one does.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    sys.exit(main())
