"""Draw a labelled sample set of cartoon faces in the layout of DFEW.

DFEW may not be redistributed, so this project draws its own stand-in: every subject
shows each of the seven classes once, from onset over apex to offset, on top of a
resting face that is built from the very same facial actions. One frame is therefore
ambiguous and the class lies in the change.

    python tools/data/make_sample_dfew.py data/sample_dfew
    python tools/data/make_sample_dfew.py data/sample_wide --timing wide
    python tools/data/make_sample_dfew.py data/sample_order --task order --timing wide
    python tools/data/make_sample_dfew.py data/sample_speed --task speed

The expression may begin almost anywhere in the clip (``--timing wide``), and there are
two sets of two classes that have exactly the same frames (``--task order`` and
``speed``), so that only a model of their order can tell them apart.

Exit codes: 0 drawn or there already, 2 something else is at the place, or wrong
arguments, 143 terminated.
"""

import argparse
import csv
import json
import multiprocessing
import os
import signal
import sys
import tempfile
from pathlib import Path
from typing import Any, NamedTuple

import cv2
import numpy as np
from sample_faces import VIEW, Actions, Array, Identity, Pose, draw_face
from sample_timing import (
    LABELS,
    NEUTRAL,
    TASKS,
    TIMINGS,
    envelope,
    nuisance_order,
    second_order,
    stream,
)

from ifdd_mmaction.cli import check_ranges
from ifdd_mmaction.progress import track

GENERATOR = 'make_sample_dfew'
VERSION = 1
FOLDS = 5
DEFAULTS = {'task': 'expressions', 'timing': 'narrow'}

# The usual FACS prototypes at full intensity, label 1 first.
PROTOTYPES = (
    Actions(cheek_raise=1.0, corner_up=1.0),
    Actions(inner_raise=1.0, brow_lower=0.3, corner_down=1.0),
    Actions(),
    Actions(brow_lower=1.0, lid_raise=0.3, lid_tighten=0.9, lip_tighten=1.0),
    Actions(inner_raise=0.9, outer_raise=1.0, lid_raise=0.8, jaw_drop=1.0),
    Actions(nose_wrinkle=1.0, corner_down=0.6, lower_lip=0.9),
    Actions(
        inner_raise=0.9, outer_raise=0.4, brow_lower=0.5, lid_raise=1.0, stretch=1.0,
        jaw_drop=0.35,
    ),
)  # fmt: skip

# Ranges that are drawn from uniformly: resting faces, as shares of a prototype.
RANGES = {'rest_subject': [0.2, 0.6], 'rest_clip': [0.3, 1.0]}
REST_SPREAD = 0.15
CEILING = 1.8  # actions saturate softly towards this


class Clip(NamedTuple):
    """What one worker needs to draw one clip.

    ``label`` is the number of the expression; ``second`` whether the clip is the second
    of a pair, the same frames in another order.
    """

    seed: int
    subject: int
    label: int
    size: int
    frames: int
    folder: str
    task: str = 'expressions'
    timing: str = 'narrow'
    second: bool = False


def pick(rng: np.random.Generator, name: str) -> float:
    """One number out of a range of RANGES."""
    low, high = RANGES[name]
    return float(rng.uniform(low, high))


def resting_face(subject: np.random.Generator, clip: np.random.Generator) -> Array:
    """Actions (15,) that a face shows throughout a clip, whatever its class is."""
    rest = np.zeros(len(Actions()))
    for rng, name in ((subject, 'rest_subject'), (clip, 'rest_clip')):
        shown = PROTOTYPES[rng.integers(len(PROTOTYPES))]
        rest += pick(rng, name) * np.array(shown)
    used = np.array(PROTOTYPES).max(0) > 0
    return np.maximum(rest + used * clip.normal(0, REST_SPREAD, len(rest)), 0)


def drift(rng: np.random.Generator, frames: int, reach: float) -> Array:
    """Slow random wave (frames,) within about +-reach."""
    t = np.linspace(0, 2 * np.pi, frames)
    slow, fast = rng.uniform(0.2, 0.6), rng.uniform(0.6, 1.2)
    wave = np.sin(slow * t + rng.uniform(0, 6.28))
    return reach * (0.7 * wave + 0.3 * np.sin(fast * t + rng.uniform(0, 6.28)))


def speech(rng: np.random.Generator, frames: int) -> tuple[Array, Array]:
    """Jaw and pucker actions, (frames,) each, of a mouth that talks or not."""
    t = np.arange(frames)
    loud = rng.uniform(0.1, 0.3) * (rng.random() < 0.5)
    middle, width = rng.uniform(0, frames), rng.uniform(0.2, 0.5) * frames
    window = loud * np.exp(-(((t - middle) / width) ** 2))
    beat = np.sin(2 * np.pi * (t / rng.uniform(2.5, 4.5) + rng.random()))
    return window * (0.5 + 0.5 * beat), window * (0.5 - 0.5 * beat)


def blinks(rng: np.random.Generator, frames: int) -> Array:
    """How far the lids are shut, (frames,) in 0..1, up to two blinks a clip."""
    shut = np.zeros(frames)
    for at in rng.integers(0, frames, rng.choice(3, p=(0.4, 0.4, 0.2))):
        shut[at] = 1.0
        shut[at + 1 : at + 2] = np.maximum(shut[at + 1 : at + 2], 0.5)
    return shut


def background(rng: np.random.Generator, edge: int) -> Array:
    """Blurred room (edge, edge, 3) uint8."""
    colours = rng.uniform(60, 220, (7, 3))
    colours = 0.45 * colours + 0.55 * colours.mean(1, keepdims=True)  # rather pale
    ramp = np.linspace(0, 1, edge)[:, None, None]
    room = (
        (colours[0] * (1 - ramp) + colours[1] * ramp).repeat(edge, 1).astype(np.uint8)
    )
    for colour in colours[2:].tolist():
        x, y, r = (rng.uniform((0, 0, 0.08), (1, 1, 0.3)) * edge).astype(int)
        cv2.circle(room, (int(x), int(y)), int(r), colour, -1)
    return cv2.GaussianBlur(room, (0, 0), edge / 24)


def clip_actions(clip: Clip, nuisance: Array) -> tuple[Array, Array]:
    """Actions (frames, 15) and expression intensity (frames,) of one clip.

    ``nuisance`` is the order (frames,) of speech and blinks.
    """
    rng = stream(clip.seed, clip.subject, clip.label)
    rest = resting_face(stream(clip.seed, clip.subject, 0, 0), rng)
    strength = envelope(rng, clip.frames, clip.task, clip.timing)
    strength = strength * (clip.label - 1 != NEUTRAL)
    actions = rest + strength[:, None] * np.array(PROTOTYPES[clip.label - 1])
    jaw, pucker = speech(rng, clip.frames)
    actions[:, Actions._fields.index('jaw_drop')] += jaw[nuisance]
    actions[:, Actions._fields.index('pucker')] += pucker[nuisance]
    actions = CEILING * np.tanh(actions / CEILING)
    actions[:, Actions._fields.index('blink')] = blinks(rng, clip.frames)[nuisance]
    return actions, strength


def draw_clip(clip: Clip) -> Array:
    """Write the JPEG frames of one clip and return its intensity (frames,)."""
    who = Identity(stream(clip.seed, clip.subject))
    key = clip.seed, clip.subject, clip.label
    nuisance = nuisance_order(stream(*key, 2), clip.frames, clip.task)
    actions, strength = clip_actions(clip, nuisance)
    rng = stream(*key, 1)
    n, px = clip.frames, 2 * VIEW / 64  # px: one pixel of a 64-pixel frame
    edge = clip.size * (4 if clip.size <= 128 else 2)
    room = background(rng, edge)
    # In the order of the fields of Pose.
    x, y = rng.normal(0, 0.6, 2) * px
    reach = 1.2 * px, px, 0.05, 2.5 * px, 1.5 * px, 0.02
    poses = np.stack([drift(rng, n, r) for r in reach], 1) + (x, y - 0.05, 0, 0, 0, 1)
    gaze = np.stack([drift(rng, n, 0.05), drift(rng, n, 0.025)], 1)
    gain = rng.uniform(0.9, 1.08) * (1 + drift(rng, n, 0.05))
    # Light falls in from one side.
    turn, depth = rng.uniform(0, 2 * np.pi), rng.uniform(0.0, 0.18)
    axis = np.linspace(-1, 1, clip.size)
    light = 1 + depth * (np.cos(turn) * axis[None] + np.sin(turn) * axis[:, None])
    poses, gaze, gain = poses[nuisance], gaze[nuisance], gain[nuisance]
    shown = second_order(clip.task, n) if clip.second else np.arange(n)
    names = 1 + np.argsort(shown)
    os.mkdir(clip.folder)
    for i, (pose, look) in enumerate(zip(poses, gaze, strict=True)):
        image = room.copy()
        draw_face(image, who, Actions(*actions[i]), Pose(*pose), look)
        small = cv2.resize(image, (clip.size,) * 2, interpolation=cv2.INTER_AREA)
        lit = small * (gain[i] * light)[..., None] + rng.normal(0, 2, small.shape)
        done = np.clip(np.rint(lit), 0, 255).astype(np.uint8)
        path = os.path.join(clip.folder, f'{names[i]}.jpg')
        if not cv2.imwrite(path, done, [cv2.IMWRITE_JPEG_QUALITY, 95]):
            raise OSError(f'OpenCV could not write {path}')
    return strength[shown].astype(np.float16)


def clips_of_subject(task: str) -> list[tuple[int, int]]:
    """Label and number of the expression, from 1, of the clips of each subject."""
    numbers = range(1, len(LABELS) + 1)
    if task == 'expressions':
        return [(number, number) for number in numbers]
    shown = [number for number in numbers if number - 1 != NEUTRAL]
    return [(label, number) for number in shown for label in (1, 2)]


def start_worker() -> None:
    """Leave interrupts to the parent process."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)


def write_csv(path: Path, header: tuple[str, ...], rows: list[Any]) -> None:
    """Write rows under a header."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open('w', newline='') as file:
        writer = csv.writer(file, lineterminator='\n')
        writer.writerow(header)
        writer.writerows(rows)


def draw_set(root: Path, parameters: dict[str, Any], workers: int) -> None:
    """Draw all clips and lists of a set into an empty folder."""
    names = 'seed', 'subjects', 'size', 'frames'
    seed, subjects, size, frames = (parameters[name] for name in names)
    task, timing = (parameters.get(name, default) for name, default in DEFAULTS.items())
    rng = stream(seed)
    fold = rng.permutation(subjects) % FOLDS
    shown = clips_of_subject(task)
    # A shuffled id tells neither class nor subject.
    order = rng.permutation(subjects * len(shown)).tolist()
    # Id, label, subject, number of the expression.
    rows = [
        (i + 1, shown[k % len(shown)][0], k // len(shown), shown[k % len(shown)][1])
        for i, k in enumerate(order)
    ]
    clips = root / 'Clip' / f'clip_{size}x{size}_{frames}f'
    clips.mkdir(parents=True)
    tasks = [
        Clip(
            seed, subject, emotion, size, frames, str(clips / f'{video:05d}'),
            task, timing, second=task != 'expressions' and label == 2,
        )
        for video, label, subject, emotion in rows
    ]  # fmt: skip
    # OpenCV's threads have to end before the workers are forked: ending them in a fork,
    # which does not have them, waits for ever.
    cv2.setNumThreads(0)
    with multiprocessing.Pool(workers, start_worker) as pool:
        drawn = pool.imap(draw_clip, tasks, chunksize=2)
        strengths = list(track(drawn, len(tasks), f'Drawing {len(tasks)} clips'))
    np.save(root / 'envelope.npy', np.stack(strengths))
    # In `expressions` the label is the expression.
    header = ('id', 'label', 'subject', 'emotion')[: 3 if task == 'expressions' else 4]
    write_csv(root / 'clips.csv', header, [row[: len(header)] for row in rows])
    for k in range(FOLDS):
        for part in ('train', 'test'):
            listed = [r[:2] for r in rows if (fold[r[2]] == k) == (part == 'test')]
            folder = root / 'EmoLabel_DataSplit' / f'{part}(single-labeled)'
            write_csv(folder / f'set_{k + 1}.csv', ('video_name', 'label'), listed)
    (root / 'sample.json').write_text(json.dumps(parameters, indent=2) + '\n')


def describe(
    subjects: int, size: int, frames: int, seed: int, task: str, timing: str
) -> dict[str, Any]:
    """All that decides what a set looks like, as kept in its ``sample.json``."""
    clips = subjects * len(clips_of_subject(task))
    chosen = {'task': task, 'timing': timing}
    times = TIMINGS[timing]
    if task == 'speed':
        times = {'intensity': times['intensity']}
    return {
        'generator': GENERATOR,
        'version': VERSION,
        'subjects': subjects,
        'size': size,
        'frames': frames,
        'seed': seed,
        # Sets of the defaults were drawn before there was a choice: they are the same.
        **{k: v for k, v in chosen.items() if v != DEFAULTS[k]},
        'clips': clips,
        'images': clips * frames,
        'folds': FOLDS,
        'labels': {name: i + 1 for i, name in enumerate(TASKS[task])},
        'ranges': times | RANGES,
        'prototypes': {
            name: {k: v for k, v in p._asdict().items() if v}
            for name, p in zip(LABELS, PROTOTYPES, strict=True)
        },
    }


def seen_parameters(out: Path) -> dict[str, Any] | None:
    """The ``sample.json`` of a set drawn by this tool, or None for anything else."""
    try:
        found = json.loads((out / 'sample.json').read_text())
    except (OSError, ValueError):
        return None
    ours = isinstance(found, dict) and found.get('generator') == GENERATOR
    return found if ours else None


def parse_args(argv: list[str] | None) -> argparse.Namespace:
    """Read and check the command line."""
    parser = argparse.ArgumentParser(
        description='Draw a labelled sample set of faces in the layout of DFEW.'
    )
    parser.add_argument('out', type=Path, help='folder to create')
    parser.add_argument(
        '--task',
        choices=TASKS,
        default=DEFAULTS['task'],
        help='expressions: the seven classes of DFEW. Two classes with the same frames,'
        ' for each of six expressions: order (it appears or disappears), speed (it'
        ' comes and goes once, or at least three times)',
    )
    parser.add_argument(
        '--timing',
        choices=TIMINGS,
        default=DEFAULTS['timing'],
        help='when the expression begins: near the start (narrow) or anywhere (wide)',
    )
    parser.add_argument(
        '--subjects', type=int, default=120, help='7 clips each, 12 for a pair'
    )
    parser.add_argument('--size', type=int, default=64, help='frame edge, pixels')
    parser.add_argument('--frames', type=int, default=16, help='frames a clip')
    parser.add_argument('--seed', type=int, default=0)
    cores = os.cpu_count() or 1
    parser.add_argument('--workers', type=int, default=cores, help='processes')
    parser.add_argument('--force', action='store_true', help='replace an older set')
    args = parser.parse_args(argv)
    if args.task == 'speed' and args.timing != DEFAULTS['timing']:
        parser.error(
            '--task speed has no --timing: its expression comes and goes evenly'
        )
    each = len(clips_of_subject(args.task))
    ranges = (
        ('subjects', FOLDS, 99999 // each, 'five folds, ids of five digits'),
        ('size', 32, 1024, 'smaller frames show no facial actions'),
        ('frames', 8, 999, 'fewer frames show no onset, apex and offset'),
        ('seed', 0, 2**63, 'NumPy takes no other seeds'),
        ('workers', 1, 4096, 'somebody has to draw'),
    )
    check_ranges(parser, args, ranges)
    args.out = args.out.resolve()
    return args


def refuse(why: str) -> int:
    """Say why nothing is drawn and return the exit code."""
    print(f'error: {why}', file=sys.stderr)
    return 2


def main(argv: list[str] | None = None) -> int:
    """Draw the set that the command line asks for and return the exit code."""
    args = parse_args(argv)
    out: Path = args.out
    wanted = describe(
        args.subjects, args.size, args.frames, args.seed, args.task, args.timing
    )
    if out.exists() and not (out.is_dir() and not any(out.iterdir())):
        seen = seen_parameters(out)
        if seen == wanted and not args.force:
            print(f'{out} already holds this set, nothing to do.')
            return 0
        if seen is None:
            return refuse(
                f'{out} exists and holds no sample.json of this tool, so it is left'
                ' alone; choose another OUT (--force does not remove it either).'
            )
        if not args.force:
            asked, there = DEFAULTS | wanted, DEFAULTS | seen
            differ = [
                f'{k} {there.get(k)} instead of {v}'
                for k, v in asked.items()
                if isinstance(v, int | str) and there.get(k) != v
            ]
            return refuse(
                f'{out} holds another set ({", ".join(differ) or "actions"});'
                ' choose another OUT or redraw it with --force.'
            )
    out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=out.parent, prefix=f'.{out.name}.') as folder:
        scratch = Path(folder)
        (scratch / 'new').mkdir()
        draw_set(scratch / 'new', wanted, args.workers)
        # What is replaced goes with the scratch folder.
        if out.exists():
            out.rename(scratch / 'old')
        (scratch / 'new').rename(out)
    print(f'{out}: {wanted["clips"]} clips of {args.subjects} subjects.')
    return 0


if __name__ == '__main__':
    # A terminated run must clean up as an interrupted one does.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    sys.exit(main())
