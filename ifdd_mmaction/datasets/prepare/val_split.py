"""Carve a validation split from the train lists: the official protocols have none."""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path

from ..dfer_dataset import Clip
from ..errors import DatasetError
from .protocols import Lists, Protocol


def split_train(
    clips: list[Clip], fraction: float, seed: int
) -> tuple[list[Clip], list[Clip]]:
    """Divide clips into train and validation clips, each class by the same share.

    The choice depends on names and seed alone: not on the order of the list, a random
    generator or its version. A class of two or more clips keeps one on either side,
    one of a single clip stays in train.

    Args:
        clips: The official train split.
        fraction: Share of each class to validate on, above 0 and below 1.
        seed: Another one gives another choice.
    """
    classes: dict[int, list[Clip]] = defaultdict(list)
    for clip in clips:
        classes[clip.label].append(clip)
    chosen: set[str] = set()
    for members in classes.values():
        count = min(max(round(fraction * len(members)), 1), len(members) - 1)
        names = sorted(
            (clip.name for clip in members),
            key=lambda name: hashlib.sha256(f'{seed}:{name}'.encode()).digest(),
        )
        chosen.update(names[:count])
    return (
        [clip for clip in clips if clip.name not in chosen],
        [clip for clip in clips if clip.name in chosen],
    )


def _dfew(clips: list[Clip], classes: tuple[str, ...]) -> str:
    rows = [f'{clip.name},{clip.label + 1}\n' for clip in clips]
    return 'video_name,label\n' + ''.join(rows)


def _ferv39k(clips: list[Clip], classes: tuple[str, ...]) -> str:
    return ''.join(f'{clip.name} {classes[clip.label]}\n' for clip in clips)


def _mafw(clips: list[Clip], classes: tuple[str, ...]) -> str:
    return ''.join(f'{clip.name}.mp4 {classes[clip.label]}\n' for clip in clips)


#: Suffix and writer of each dataset's own lists.
FORMATS: dict[str, tuple[str, Callable[[list[Clip], tuple[str, ...]], str]]] = dict(
    DFEWDataset=('.csv', _dfew),
    FERV39kDataset=('.csv', _ferv39k),
    MAFWDataset=('.txt', _mafw),
)


def write_val_split(
    protocol: Protocol, lists: Lists, folder: Path, fraction: float, seed: int
) -> str:
    """Write ``set_{fold}/{train,val}`` lists in the dataset's own form, all or none.

    ``split.json`` beside them says how they were made. Lists that are there already
    are left alone if they are the same.

    Returns:
        What to tell the user.

    Raises:
        DatasetError: If the folder holds something else.
        OSError: If it cannot be written.
    """
    suffix, write = FORMATS[protocol.dataset]
    counts = {}
    files = {}
    for (split, fold), clips in lists.parts.items():
        if split != 'train':
            continue
        train, val = split_train(clips, fraction, seed)
        for name, part in (('train', train), ('val', val)):
            files[f'set_{fold}/{name}{suffix}'] = write(part, lists.classes)
        counts[f'set_{fold}'] = dict(train=len(train), val=len(val))
    about = dict(dataset=protocol.dataset, fraction=fraction, seed=seed, clips=counts)
    files['split.json'] = json.dumps(about, indent=2) + '\n'
    if _write_folder(folder, files):
        return f'{folder}: {len(counts)} folds written'
    return f'{folder}: already there, the same'


def _write_folder(folder: Path, files: dict[str, str]) -> bool:
    """Write a folder of files at once; return False if it has them already."""
    if folder.is_dir():
        there = [p for p in folder.rglob('*') if p.is_file()]
        held = {p.relative_to(folder).as_posix(): p.read_text() for p in there}
        if held == files:
            return False
        raise DatasetError(
            f'{folder} holds other lists than these; choose another place with '
            '--lists, or remove it'
        )
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix='.split.') as scratch:
        new = Path(scratch) / 'new'
        for name, text in files.items():
            (new / name).parent.mkdir(parents=True, exist_ok=True)
            (new / name).write_text(text, encoding='utf-8')
        os.rename(new, folder)
    return True
