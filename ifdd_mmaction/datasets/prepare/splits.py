"""The folds of the datasets, and validation splits drawn from training clips."""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mmaction.registry import DATASETS

from ..dfer_dataset import Clip
from ..errors import DatasetError, name_some
from ..groups import assign_groups

SPLITS = ('train', 'test')
#: Split and fold.
Part = tuple[str, int]


@dataclass(frozen=True)
class EvaluationProtocol:
    """The published numbers of a dataset.

    Args:
        dataset: Its registered name.
        clips: Published number of clips by split and fold, where known.
        classes: The same by class.
        total: Published number of train and test clips together, in every fold.
        extracted: Folder for extracted frames of its videos, which a dataset does not
            use by default; None if no release has videos.
    """

    dataset: str
    clips: dict[Part, int]
    total: int
    classes: dict[Part, tuple[int, ...]] = field(default_factory=dict)
    extracted: str | None = None


PROTOCOLS = dict(
    dfew=EvaluationProtocol(
        'DFEWDataset',
        clips={('train', 1): 9356, ('test', 1): 2341},
        total=11697,
        classes={('train', 1): (1956, 1515, 2135, 1738, 1175, 116, 721)},
        extracted='Clip/extracted',
    ),
    ferv39k=EvaluationProtocol(
        'FERV39kDataset',
        clips={('train', 1): 31088, ('test', 1): 7847},
        total=38935,
    ),
    mafw=EvaluationProtocol(
        'MAFWDataset',
        clips={('train', 1): 7333, ('test', 1): 1839},
        total=9172,
        extracted='frames_extracted',
    ),
)


@dataclass
class Lists:
    """The lists of a dataset: the clips of each part, and errors of reading them."""

    classes: tuple[str, ...]
    storage: str
    release: str
    parts: dict[Part, list[Clip]]
    errors: list[str]

    @property
    def clips(self) -> dict[str, Clip]:
        """All listed clips, by name."""
        return {clip.name: clip for part in self.parts.values() for clip in part}


def make_dataset(
    protocol: EvaluationProtocol, root: os.PathLike, **options: Any
) -> Any:
    """Return the dataset of a protocol, without reading its lists.

    Raises:
        DatasetError: If the dataset refuses its options.
    """
    return DATASETS.build(
        dict(
            type=protocol.dataset, data_root=os.fspath(root), lazy_init=True, **options
        )
    )


def read_lists(
    protocol: EvaluationProtocol,
    root: os.PathLike,
    splits: Sequence[str] = SPLITS,
    folds: Sequence[int] = (),
    **options: Any,
) -> Lists:
    """Read the official lists.

    Args:
        protocol: The dataset.
        root: Its folder.
        splits: Splits to read.
        folds: Folds to read; all by default.
        options: Arguments of the dataset, such as ``frame_dir``.

    Raises:
        DatasetError: If none of the lists can be read.
    """
    if not os.path.isdir(root):
        raise DatasetError(f'{root}: no such folder')
    parts: dict[Part, list[Clip]] = {}
    errors: list[str] = []
    for fold in folds or make_dataset(protocol, root).FOLDS:
        for split in splits:
            dataset = make_dataset(protocol, root, split=split, fold=fold, **options)
            try:
                parts[split, fold] = dataset.load_clips()
                storage, release = dataset.storage, dataset.release
            except DatasetError as error:
                errors.append(f'{split} fold {fold}: {error}')
    if not parts:
        raise DatasetError(f'{root}: no list can be read:\n{name_some(errors)}')
    classes = tuple(dataset.METAINFO['classes'])
    return Lists(classes, storage, release, parts, errors)


def split_train(
    clips: list[Clip],
    fraction: float,
    seed: int,
    groups: Mapping[str, str] | None = None,
    names: Sequence[str] = (),
) -> tuple[list[Clip], list[Clip]]:
    """Divide clips into train and validation clips, with the same fraction per class.

    The choice depends only on names and seed, not on the order of the list or on a
    random generator. A class of two or more clips has at least one in each part; a
    single clip stays in train. With groups, no group is in both parts, the fractions
    are approximate, and a class that would be absent from a part is refused.

    Args:
        clips: The official train split.
        fraction: Fraction of each class for validation, above 0 and below 1.
        seed: Seed of the choice.
        groups: Group by name of clip.
        names: Names of the classes, for errors.

    Raises:
        DatasetError: If the groups of a class are too few or too large.
    """
    if groups is not None:
        part = assign_groups(clips, groups, [1 - fraction, fraction], seed, names)
        train, val = (
            [c for c, p in zip(clips, part, strict=True) if p == k] for k in (0, 1)
        )
        return train, val
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


#: Suffix and writer of the lists of each dataset.
FORMATS: dict[str, tuple[str, Callable[[list[Clip], tuple[str, ...]], str]]] = dict(
    DFEWDataset=('.csv', _dfew),
    FERV39kDataset=('.csv', _ferv39k),
    MAFWDataset=('.txt', _mafw),
)


def write_val_split(
    protocol: EvaluationProtocol,
    lists: Lists,
    folder: Path,
    fraction: float,
    seed: int,
    groups: Mapping[str, str] | None = None,
) -> str:
    """Write ``set_{fold}/{train,val}`` lists in the dataset's format, atomically.

    ``split.json`` beside them has the settings. Identical lists are not written again.
    With ``groups``, the group by name of clip, no group is in both lists of a fold.

    Returns:
        A message for the user.

    Raises:
        DatasetError: If the folder contains other files, or a class has too few groups.
        OSError: If it cannot be written.
    """
    suffix, write = FORMATS[protocol.dataset]
    counts = {}
    files = {}
    for (split, fold), clips in lists.parts.items():
        if split != 'train':
            continue
        try:
            train, val = split_train(clips, fraction, seed, groups, lists.classes)
        except DatasetError as error:
            raise DatasetError(f'validation split of fold {fold}: {error}') from error
        for name, part in (('train', train), ('val', val)):
            files[f'set_{fold}/{name}{suffix}'] = write(part, lists.classes)
        counts[f'set_{fold}'] = dict(train=len(train), val=len(val))
    about = dict(dataset=protocol.dataset, fraction=fraction, seed=seed, clips=counts)
    if groups is not None:
        about['groups'] = len(set(groups.values()))
    files['split.json'] = json.dumps(about, indent=2) + '\n'
    if write_folder(folder, files):
        return f'{folder}: {len(counts)} folds written'
    return f'{folder}: already there, the same'


def write_folder(folder: Path, files: dict[str, str]) -> bool:
    """Write a folder of files atomically; return False if it has them already.

    Raises:
        DatasetError: If the folder contains other files.
        OSError: If it cannot be written.
    """
    if folder.is_dir():
        there = [p for p in folder.rglob('*') if p.is_file()]
        held = {p.relative_to(folder).as_posix(): p.read_text() for p in there}
        if held == files:
            return False
        raise DatasetError(
            f'{folder} holds other lists than these: choose another place, or remove it'
        )
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix='.split.') as scratch:
        new = Path(scratch) / 'new'
        for name, text in files.items():
            (new / name).parent.mkdir(parents=True, exist_ok=True)
            (new / name).write_text(text, encoding='utf-8')
        os.rename(new, folder)
    return True
