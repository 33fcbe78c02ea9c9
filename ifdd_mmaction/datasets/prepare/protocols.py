"""What was published about each dataset, and its lists as this package reads them."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from mmaction.registry import DATASETS

from ..dfer_dataset import Clip
from ..errors import DatasetError, name_some

SPLITS = ('train', 'test')
#: Split and fold.
Part = tuple[str, int]


@dataclass(frozen=True)
class Protocol:
    """What was published about a dataset.

    Args:
        dataset: Its registered name.
        clips: Published number of clips by split and fold, as far as it is known.
        classes: The same by class.
        total: Published number of train and test clips together, in every fold.
        extracted: Where the frames of its videos go: no place where a dataset looks
            unasked, for they are no release. None where no release has videos.
    """

    dataset: str
    clips: dict[Part, int]
    total: int
    classes: dict[Part, tuple[int, ...]] = field(default_factory=dict)
    extracted: str | None = None


PROTOCOLS = dict(
    dfew=Protocol(
        'DFEWDataset',
        clips={('train', 1): 9356, ('test', 1): 2341},
        total=11697,
        classes={('train', 1): (1956, 1515, 2135, 1738, 1175, 116, 721)},
        extracted='Clip/extracted',
    ),
    ferv39k=Protocol(
        'FERV39kDataset',
        clips={('train', 1): 31088, ('test', 1): 7847},
        total=38935,
    ),
    mafw=Protocol(
        'MAFWDataset',
        clips={('train', 1): 7333, ('test', 1): 1839},
        total=9172,
        extracted='frames_extracted',
    ),
)


@dataclass
class Lists:
    """The lists of a dataset: the clips of each part, and what could not be read."""

    classes: tuple[str, ...]
    storage: str
    release: str
    parts: dict[Part, list[Clip]]
    errors: list[str]

    @property
    def clips(self) -> dict[str, Clip]:
        """Every listed clip once, by name."""
        return {clip.name: clip for part in self.parts.values() for clip in part}


def make_dataset(protocol: Protocol, root: os.PathLike, **options: Any) -> Any:
    """Return the dataset of a protocol with nothing read yet.

    Raises:
        DatasetError: If the dataset refuses its options.
    """
    return DATASETS.build(
        dict(
            type=protocol.dataset, data_root=os.fspath(root), lazy_init=True, **options
        )
    )


def read_lists(
    protocol: Protocol,
    root: os.PathLike,
    splits: Sequence[str] = SPLITS,
    folds: Sequence[int] = (),
    **options: Any,
) -> Lists:
    """Read the official lists.

    Args:
        protocol: The dataset.
        root: Its folder.
        splits: Those to read.
        folds: Those to read, by default all.
        options: For the dataset, such as ``frame_dir``.

    Raises:
        DatasetError: If not one of the lists can be read.
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
