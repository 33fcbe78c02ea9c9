"""Sets of make_photo_faces.py: their clips, and what is known of the people."""

from __future__ import annotations

import csv
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ifdd_mmaction.errors import InputError

#: What ``people.csv`` has where a person did not report it.
UNKNOWN = 'not reported'
ATTRIBUTES = ('gender', 'age', 'ethnicity')
#: First age of each band but the first.
BANDS = (25, 30, 40)


@dataclass(frozen=True)
class Person:
    """A person of a set: name, fold, and the group by each of :data:`ATTRIBUTES`."""

    name: str
    fold: int
    groups: dict[str, str]


@dataclass(frozen=True)
class PhotoSet:
    """A set: its folder, that of its clips, people by subject, subject by clip.

    ``smiles`` is the strength of the smile of each clip, where the set has it.
    """

    root: Path
    clips: Path
    people: dict[str, Person]
    subjects: dict[str, str]
    smiles: dict[str, float]

    def person(self, clip: str) -> Person:
        """Return the person of a clip."""
        return self.people[self.subjects[clip]]

    def frames(self, clip: str) -> list[Path]:
        """Return the frames of a clip, in order."""
        folder = self.clips / f'{int(clip):05d}'
        return sorted(folder.glob('*.jpg'), key=lambda path: int(path.stem))


def read_set(root: str | Path, photos: bool) -> PhotoSet:
    """Read a set.

    Args:
        root: Its folder.
        photos: Whether it has to be one of photographs (``--photo-clips``).

    Raises:
        InputError: If it is none, or of the other kind.
    """
    root = Path(root)
    wanted = 'photos' if photos else 'expressions'
    try:
        facts = json.loads((root / 'sample.json').read_text())
        mode = facts['mode']
        rows, people = (_rows(root / f'{name}.csv') for name in ('clips', 'people'))
        found = PhotoSet(
            root,
            root / 'Clip' / '_'.join(
                ['clip', f'{facts["size"]}x{facts["size"]}', f'{facts["frames"]}f']
            ),
            {row['subject']: _person(row) for row in people},
            {str(int(row['id'])): row['subject'] for row in rows},
            {str(int(r['id'])): float(r['smile']) for r in rows if 'smile' in r},
        )  # fmt: skip
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(
            f'{root} is no set of tools/data/make_photo_faces.py '
            f'({type(error).__name__}: {error}): make one, or give its folder'
        ) from error
    if mode != wanted:
        raise InputError(
            f'{root} has clips of {mode}, not of {wanted}: make a set '
            f'{"with" if photos else "without"} --photo-clips'
        )
    if unknown := set(found.subjects.values()) - set(found.people):
        raise InputError(
            f'{root}: clips.csv has subjects that people.csv lacks '
            f'({", ".join(sorted(unknown)[:5])}): make the set again'
        )
    return found


def check_folds(one: PhotoSet, other: PhotoSet) -> None:
    """Compare the folds of the people that two sets share.

    Raises:
        InputError: If a person is in another fold.
    """
    folds = {person.name: person.fold for person in one.people.values()}
    for person in other.people.values():
        if folds.get(person.name, person.fold) != person.fold:
            raise InputError(
                f'{person.name} is in fold {folds[person.name]} of {one.root} and in '
                f'fold {person.fold} of {other.root}: make both from the '
                'same photos'
            )


def write_list(path: Path, rows: Sequence[tuple[str, int]]) -> None:
    """Write clips and labels, from 1, as a list of DFEW."""
    lines = ['video_name,label', *(f'{clip},{label}' for clip, label in rows)]
    path.write_text('\n'.join(lines) + '\n')


def photo_labels(photos: PhotoSet) -> list[tuple[str, int]]:
    """Return all clips of a set with their labels."""
    rows = _rows(photos.root / 'clips.csv')
    return [(str(int(row['id'])), int(row['label'])) for row in rows]


def age_band(age: str) -> str:
    """Return the band of an age as it is reported."""
    try:
        years = float(age)
    except ValueError:
        return UNKNOWN
    for first, after in zip((None, *BANDS), (*BANDS, None), strict=True):
        if after is None or years < after:
            return f'{first} and older' if after is None else (
                f'under {after}' if first is None else f'{first} to {after - 1}'
            )  # fmt: skip
    raise AssertionError(age)


def _person(row: dict[str, str]) -> Person:
    groups = {name: row[name] or UNKNOWN for name in ('gender', 'ethnicity')}
    return Person(row['name'], int(row['fold']), groups | {'age': age_band(row['age'])})


def _rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline='') as file:
        return list(csv.DictReader(file))
