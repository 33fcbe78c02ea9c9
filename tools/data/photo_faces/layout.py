"""Write a set in DFEW's layout, so that a killed run goes on where it was.

A run writes into ``OUT.partial``: the clips of a person first, then a record of that
person. The lists come last, and then the folder gets its name. So nothing that is
half-written can be taken for a set.
"""

from __future__ import annotations

import csv
import io
import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np

from ifdd_mmaction.errors import InputError
from ifdd_mmaction.fileio import write_atomic

Array = np.ndarray

FACTS = 'sample.json'
RECORDS = '.people'


def clip_folder(root: Path, size: int, frames: int) -> Path:
    """Return the folder of the clips of a set."""
    return root / 'Clip' / f'clip_{size}x{size}_{frames}f'


def seen_facts(folder: Path) -> dict[str, Any] | None:
    """Return the ``sample.json`` of a folder, None if there is none."""
    try:
        facts = json.loads((folder / FACTS).read_text())
    except (OSError, ValueError):
        return None
    return facts if isinstance(facts, dict) else None


def start(out: Path, facts: dict[str, Any], force: bool) -> Path | None:
    """Prepare the folder to write into.

    Args:
        out: The set's folder.
        facts: All that decides what the set looks like.
        force: Whether another set of this tool may be replaced.

    Returns:
        The folder; None if the set is there already.

    Raises:
        InputError: If something else is at the place.
    """
    partial = out.with_name(out.name + '.partial')
    for folder, unfinished in ((out, False), (partial, True)):
        if not folder.exists() or (folder.is_dir() and not any(folder.iterdir())):
            continue
        seen = seen_facts(folder)
        if seen is None or seen.get('generator') != facts['generator']:
            raise InputError(
                f'{folder} exists and holds no {FACTS} of this tool, so it is left '
                'alone: choose another OUT (--force does not remove it either)'
            )
        if seen != facts and not force:
            differ = [k for k, v in facts.items() if seen.get(k) != v]
            part = 'a part of another set' if unfinished else 'another set'
            raise InputError(
                f'{folder} holds {part} (another {", ".join(differ)}): choose another '
                'OUT, or replace it with --force'
            )
        if seen == facts and not unfinished and not force:
            return None
        if seen != facts and unfinished:
            shutil.rmtree(folder)
    (partial / RECORDS).mkdir(parents=True, exist_ok=True)
    write_json(partial / FACTS, facts)
    return partial


def write_json(path: Path, data: Any) -> None:
    """Write a JSON file, complete or not at all."""
    write_atomic(path, (json.dumps(data, indent=2) + '\n').encode())


def write_table(path: Path, rows: list[dict[str, Any]]) -> None:
    """Write rows of the same keys as CSV."""
    text = io.StringIO()
    writer = csv.DictWriter(text, list(rows[0]) if rows else [], lineterminator='\n')
    writer.writeheader()
    writer.writerows(rows)
    write_atomic(path, text.getvalue().encode())


def write_clip(folder: Path, images: list[bytes]) -> None:
    """Write the JPEG frames of a clip, 1.jpg the first; an unfinished one is removed.

    Raises:
        OSError: If they cannot be written.
    """
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    for i, image in enumerate(images, start=1):
        (folder / f'{i}.jpg').write_bytes(image)


def record_path(root: Path, subject: int) -> Path:
    """Return the file that says that the clips of a person are complete."""
    return root / RECORDS / f'{subject:05d}.json'


def picture_path(root: Path, subject: int) -> Path:
    """Return the file with the picture of a person's fit and expressions."""
    return record_path(root, subject).with_suffix('.jpg')


def read_record(root: Path, subject: int) -> dict[str, Any] | None:
    """Return the record of a person, None if the clips are not complete."""
    try:
        return json.loads(record_path(root, subject).read_text())
    except (OSError, ValueError):
        return None


def write_lists(
    root: Path, rows: list[dict[str, Any]], fold: list[int], folds: int, train: bool
) -> None:
    """Write the lists of the folds, disjoint in people.

    Args:
        root: Folder of the set.
        rows: Rows with ``id``, ``label`` and ``subject``.
        fold: Fold of each subject, from 0.
        folds: Number of folds.
        train: Whether there are lists for training, of all people of other folds.
    """
    for k in range(folds):
        for part in ('train', 'test') if train else ('test',):
            listed = [
                {'video_name': row['id'], 'label': row['label']}
                for row in rows
                if (fold[row['subject']] == k) == (part == 'test')
            ]
            folder = root / 'EmoLabel_DataSplit' / f'{part}(single-labeled)'
            write_table(folder / f'set_{k + 1}.csv', listed)


def finish(partial: Path, out: Path) -> None:
    """Give a complete set its name; an older set there is removed."""
    shutil.rmtree(partial / RECORDS)
    old = out.with_name(out.name + '.old')
    if out.exists():
        out.rename(old)
    partial.rename(out)
    shutil.rmtree(old, ignore_errors=True)
