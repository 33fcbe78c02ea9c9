"""Draw all clips of a set, one process for each person at a time."""

from __future__ import annotations

import multiprocessing
import signal
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from ifdd_mmaction.errors import InputError

from . import layout, sheet
from .actions import Shapes
from .clips import draw_clip, encode
from .framing import Framing
from .heads import HeadModel, load_model
from .landmarks import Anchors, five_anchors, read_template, template_anchors
from .mixing import mix_skin
from .people import Person, choose_others, read_photo
from .portrait import Portrait, build_portrait
from .script import LEAST
from .smiles import photo_clips

#: Fits with a larger error, in units of about 1 cm, are of points of something else.
MAX_ERROR = 1.2


@dataclass(frozen=True)
class Job:
    """The clips of one person.

    Attributes:
        person: The person.
        subject: Number of the person.
        clips: Number (the folder), label (from 1) and repetition of each clip.
        seed: Seed of the set.
        size: Width and height of a frame, in pixels.
        frames: Number of frames.
        root: Folder to write into.
        mode: ``'expressions'``, or ``'photos'`` for clips of the photos themselves.
        change: How much faces differ in shape from those of the photos.
        intensity: Smallest intensity of an expression at its apex.
        others: People whose skin is mixed into that of the person.
        mix: Largest share of their skin.
        variety: Probability of a further variant of the class.
        hands: Probability of a hand in front of the face.
    """

    person: Person
    subject: int
    clips: list[tuple[int, int, int]]
    seed: int
    size: int
    frames: int
    root: Path
    mode: str
    change: float
    intensity: float
    others: tuple[Person, ...] = ()
    mix: float = 0.0
    variety: float = 0.0
    hands: float = 0.0


_model: HeadModel | None = None
_framing: Framing | None = None
_failure: str | None = None


def find_anchors(person: Person, photo: np.ndarray, framing: Framing) -> Anchors:
    """Return the landmarks of a photo: of its template, or detected.

    Raises:
        InputError: If the template does not fit the photo, or no face is found.
    """
    if person.template is None:
        points = framing.landmarks(photo)
        if points is None:
            raise InputError(
                f'{person.photo}: the detector found no face in it; remove the photo, '
                'or add a template (.tem)'
            )
        return five_anchors(points)
    points = read_template(person.template)
    height, width = photo.shape[:2]
    # Outside are at most points of hair and neck.
    anchors = template_anchors(points)
    if not ((anchors.targets > 0) & (anchors.targets < (width, height))).all():
        raise InputError(
            f'{person.template} has points outside of {person.photo.name}, which is '
            f'{width} x {height} pixels: it is the template of another photo'
        )
    return anchors


def fit_portrait(
    model: HeadModel,
    framing: Framing,
    person: Person,
    photo: np.ndarray,
    rng: np.random.Generator,
) -> tuple[Portrait, Anchors]:
    """Return a person that can be drawn, and the landmarks of the photo.

    Raises:
        InputError: If the landmarks are not those of a frontal face.
    """
    anchors = find_anchors(person, photo, framing)
    portrait = build_portrait(model, photo, anchors, rng)
    if portrait.fit.error > MAX_ERROR:
        raise InputError(
            f'{person.template or person.photo}: the head model misses its '
            f'landmarks by {portrait.fit.error:.1f} cm on average: they are not '
            'those of a frontal face'
        )
    return portrait, anchors


def start_worker(model: Path | None) -> None:
    """Prepare a process: it leaves interrupts to the parent, and reads the model.

    What fails is told by the first job: a pool replaces a process that ends while it
    is prepared, again and again.
    """
    global _model, _framing, _failure
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    cv2.setNumThreads(1)
    try:
        _model = load_model(model) if model else None
        _framing = Framing()
    except Exception as error:  # of any kind: libraries of the detector raise many
        _failure = str(error) or type(error).__name__


def do_job(job: Job) -> dict[str, Any]:
    """Write the clips of a person, then the record, which it returns.

    Raises:
        InputError: If the process could not be prepared, or an input cannot be used.
    """
    if _failure is not None:
        raise InputError(f'a process that draws clips cannot start: {_failure}')
    assert _framing is not None
    person = job.person
    photo = read_photo(person.photo)
    rows, strengths, facts = [], [], {}
    folder = layout.clip_folder(job.root, job.size, job.frames)
    others: list[Portrait] = []
    if job.mode == 'expressions':
        assert _model is not None
        rng = np.random.default_rng([job.seed, job.subject, 2])
        portrait, anchors = fit_portrait(_model, _framing, person, photo, rng)
        for other in job.others:
            seen = read_photo(other.photo)
            others.append(fit_portrait(_model, _framing, other, seen, rng)[0])
        facts = {
            'fit': round(portrait.fit.error, 4),
            'bent': round(portrait.fit.bent, 4),
        }
        shapes = Shapes(_model.names, portrait.blink)
        if job.subject < sheet.PEOPLE:
            row = sheet.person_row(portrait, shapes, photo, anchors)
            layout.picture_path(job.root, job.subject).write_bytes(encode(row))
    for number, label, repetition in job.clips:
        key = [job.seed, job.subject, label, repetition]
        rng = np.random.default_rng([*key, 4])
        if job.mode == 'expressions':
            shown, mixed = portrait, {}
            if job.mix:
                mixed = {'mixed_with': '-', 'mixed': 0.0}
            if others:
                # Numbers of their own: the rest of the clip is the same without it.
                draw = np.random.default_rng([*key, 7])
                one, share = int(draw.integers(len(others))), draw.uniform(0, job.mix)
                shown = mix_skin(portrait, others[one], share)
                mixed = {'mixed_with': job.others[one].name, 'mixed': share}
            frames, strength, drawn = draw_clip(
                shown, shapes, _framing, rng, label - 1, job.frames, job.size,
                job.change,
                job.intensity, job.variety, job.hands,
                np.random.default_rng([*key, 8]),
            )  # fmt: skip
            drawn |= mixed
        else:
            frames, strength, drawn = photo_clips(
                person, photo, _framing, rng, label - 1, job.frames, job.size
            )
        layout.write_clip(folder / f'{number:05d}', [encode(one) for one in frames])
        row = {'id': number, 'label': label, 'subject': job.subject}
        rows.append(row | {name: _plain(value) for name, value in drawn.items()})
        strengths.append([float(one) for one in np.float16(strength)])
    record = {'rows': rows, 'strengths': strengths, 'facts': facts}
    layout.write_json(layout.record_path(job.root, job.subject), record)
    return record


def _plain(value: Any) -> Any:
    """A value as it is written in tables."""
    if isinstance(value, bool | np.bool_):
        return int(value)
    return round(float(value), 4) if isinstance(value, float | np.floating) else value


def do_jobs(jobs: list[Job], model: Path | None, workers: int) -> Iterator[dict]:
    """Yield the records of jobs as they are done, in their order."""
    if workers == 1:
        handlers = {s: signal.getsignal(s) for s in (signal.SIGINT, signal.SIGTERM)}
        start_worker(model)
        for number, handler in handlers.items():
            signal.signal(number, handler)
        yield from map(do_job, jobs)
        return
    with multiprocessing.Pool(workers, start_worker, (model,)) as pool:
        yield from pool.imap(do_job, jobs)


def plan_jobs(
    people: list[Person], labels: list[int], each: int, root: Path,
    seed: int, size: int, frames: int, mode: str, change: float = 0.0,
    intensity: float = LEAST, mix: float = 0.0, folds: Mapping[str, int] | None = None,
    variety: float = 0.0, hands: float = 0.0,
) -> list[Job]:  # fmt: skip
    """Return the job of each person; a shuffled id tells neither class nor subject."""
    others = choose_others(people, folds, seed) if mix and folds else {}
    kinds = [(label, k) for label in labels for k in range(each)]
    order = np.random.default_rng([seed, 3]).permutation(len(people) * len(kinds))
    numbers = (1 + np.argsort(order)).reshape(len(people), len(kinds))
    return [
        Job(
            person, subject,
            [(int(n), *kind) for n, kind in zip(numbers[subject], kinds, strict=True)],
            seed, size, frames, root, mode, change, intensity,
            others.get(person.name, ()), mix, variety, hands,
        )
        for subject, person in enumerate(people)
    ]  # fmt: skip
