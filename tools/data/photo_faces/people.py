"""The photographed people: photos, templates, what they reported, and folds."""

from __future__ import annotations

import csv
import hashlib
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

from ifdd_mmaction.errors import InputError

Array = np.ndarray

SUFFIXES = '.jpg', '.jpeg', '.png'
#: Folders of neutral portraits in a clone of webmorphR.stim, with the prefix of their
#: names and the table of what people reported.
SETS = {
    'neutral_front': ('london', 'london_info.csv'),
    'canada': ('canada', 'canada_info.csv'),
}
SMILES = 'smiling_front'
#: Sources as recorded in the set.
ATTRIBUTION = {
    'london': 'DeBruine, L., & Jones, B. (2017). Face Research Lab London Set (Version'
    ' 5). figshare. https://doi.org/10.6084/m9.figshare.5047666.v5, CC BY 4.0.',
    'canada': 'DeBruine, L., & Jones, B.: Canada set of webmorphR.stim.'
    ' https://github.com/debruine/webmorphR.stim, CC BY 4.0.',
}
UNKNOWN = 'not reported'
#: How many people a person is mixed with.
OTHERS = 4


@dataclass(frozen=True)
class Person:
    """A photographed person.

    Attributes:
        name: Unique name.
        photo: The photo.
        template: Its template file, None if there is none.
        age: Age, gender and ethnicity as the person reported them.
        gender: See ``age``.
        ethnicity: See ``age``.
        smile: Photo of the same person smiling, None if there is none.
    """

    name: str
    photo: Path
    template: Path | None
    age: str = UNKNOWN
    gender: str = UNKNOWN
    ethnicity: str = UNKNOWN
    smile: Path | None = None


def find_people(folders: list[Path]) -> list[Person]:
    """Return the people of clones of webmorphR.stim and of folders of portraits.

    Raises:
        InputError: If a folder has no photos, a clone is partial, or two people have
            one name.
    """
    people: list[Person] = []
    for folder in folders:
        if not folder.is_dir():
            raise InputError(f'{folder} is not a folder: --photos takes folders')
        inner = folder / 'inst' if (folder / 'inst').is_dir() else folder
        sets = [name for name in SETS if (inner / name).is_dir()]
        found = [
            person for name in sets for person in _people_of_set(inner, folder, name)
        ]
        people += found if sets else _people_of_folder(folder, folder, '')
    names = [person.name for person in people]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        first, second = (p.photo for p in people if p.name == twice[0])
        raise InputError(
            f'{first} and {second} are both named {twice[0]}: rename one of them'
        )
    return sorted(people, key=lambda person: person.name)


def _people_of_set(inner: Path, folder: Path, name: str) -> list[Person]:
    prefix, table = SETS[name]
    place = next(
        (p for p in (folder / 'data-raw' / table, folder / table) if p.is_file()), None
    )
    if place is None:
        raise InputError(
            f'{folder} holds {name} but no data-raw/{table}: the clone is partial'
        )
    return _people_of_folder(inner / name, place, prefix + '_')


def _people_of_folder(folder: Path, info: Path, prefix: str) -> list[Person]:
    photos = sorted(
        p
        for p in folder.iterdir()
        if p.suffix.lower() in SUFFIXES and not p.name.startswith('.')
    )
    if not photos:
        raise InputError(f'{folder} holds no photos ({", ".join(SUFFIXES)})')
    info = info / 'info.csv' if info.is_dir() else info
    rows = _read_info(info) if info.is_file() else {}
    people = []
    for photo in photos:
        # London: 001_03.jpg is the neutral photo of person 001.
        number = photo.stem.removesuffix('_03') if prefix == 'london_' else photo.stem
        row = rows.get(number, {})
        template = photo.with_suffix('.tem')
        smile = folder.parent / SMILES / f'{number}_08.jpg'
        people.append(
            Person(
                name=prefix + number,
                photo=photo,
                template=template if template.is_file() else None,
                age=row.get('face_age') or UNKNOWN,
                gender=row.get('face_gender') or UNKNOWN,
                ethnicity=row.get('face_eth') or UNKNOWN,
                smile=smile if prefix == 'london_' and smile.is_file() else None,
            )
        )
    return people


def _read_info(path: Path) -> dict[str, dict[str, str]]:
    with path.open(newline='', encoding='utf-8-sig') as file:
        reader = csv.DictReader(file)
        if 'face_id' not in (reader.fieldnames or ()):
            raise InputError(
                f'{path} has no column face_id: its columns must be face_id, face_age, '
                'face_gender, face_eth'
            )
        return {row['face_id']: row for row in reader}


def read_photo(path: Path) -> Array:
    """Return a photo ``(H, W, 3)`` uint8 RGB.

    Raises:
        InputError: If it cannot be decoded.
    """
    try:
        with Image.open(path) as image:
            # OpenCV returns a part of a truncated file without saying so.
            return np.array(ImageOps.exif_transpose(image).convert('RGB'))
    except (OSError, SyntaxError, ValueError) as error:
        raise InputError(
            f'{path} cannot be decoded, get it again or remove it: {error}'
        ) from error


def checksum(path: Path) -> str:
    """Return the SHA-256 of a file."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def assign_folds(people: list[Person], folds: int, seed: int) -> dict[str, int]:
    """Return the fold of each person, 0 to folds - 1.

    People of one gender and ethnicity are spread evenly: sorted by group, in random
    order within a group, they are dealt to the folds in turn. Groups are those of the
    table; the order depends on the names and the seed only.
    """
    groups: dict[tuple[str, str], list[str]] = defaultdict(list)
    for person in people:
        groups[person.ethnicity, person.gender].append(person.name)
    rng = np.random.default_rng([seed, 5])
    dealt: list[str] = []
    for group in sorted(groups):
        names = sorted(groups[group])
        dealt += [names[i] for i in rng.permutation(len(names))]
    return {name: i % folds for i, name in enumerate(dealt)}


def choose_others(
    people: list[Person], folds: Mapping[str, int], seed: int
) -> dict[str, tuple[Person, ...]]:
    """Return up to OTHERS people for each one, of its own fold.

    A face that is mixed from people of two folds would be in training and in test.
    """
    chosen = {}
    for i, person in enumerate(people):
        near = [
            other
            for other in people
            if other is not person and folds[other.name] == folds[person.name]
        ]
        order = np.random.default_rng([seed, i, 8]).permutation(len(near))[:OTHERS]
        chosen[person.name] = tuple(near[k] for k in order)
    return chosen
