"""Folds of which no two share a group: what ``tools/kfold.py --groups`` trains on."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from mmaction.registry import DATASETS
from mmengine.config import Config

from ..datasets import Clip, DatasetError, DFERDataset
from ..datasets.folds import LOADERS, located
from ..datasets.group_overlap import describe_overlap, group_overlap
from ..datasets.groups import assign_groups, read_groups
from ..datasets.prepare.splits import write_folder
from ..errors import InputError

#: Number of folds of a dataset that has none of its own.
NUM_FOLDS = 5


def group_folds(
    cfg: Config, groups: str | Path, folder: str | Path, num_folds: int | None = None
) -> dict[str, str]:
    """Write the lists of folds that share no group, and report what the official share.

    All clips of the config's dataset are divided again. The result depends only on
    their names, labels and groups. ``FOLDER/set_K/{train,test}.csv`` are the lists, and
    ``FOLDER/groups.json`` has both reports of
    :func:`ifdd_mmaction.datasets.group_overlap.group_overlap`, as ``official`` and
    ``folds``. Lists that are there already are compared, not written again.

    Args:
        cfg: Config of a run.
        groups: CSV file of ``clip,group``.
        folder: Where the lists go.
        num_folds: Number of folds; that of the dataset by default, or 5.

    Returns:
        Options by dotted name, with which the config uses the lists.

    Raises:
        InputError: If the datasets of the config cannot be divided again.
        DatasetError: If the data or the groups are wrong, a class has too few groups
            for so many folds, or the folder contains other lists.
        OSError: If the lists cannot be written.
    """
    folder = Path(folder).resolve()
    found = {
        place: (loader, settings)
        for loader in LOADERS
        for place, settings in located(cfg.get(loader) or {}, loader)
    }
    if not found:
        raise InputError(f'--groups: none of {", ".join(LOADERS)} has a dataset')
    datasets = [_plain(place, settings) for place, (_, settings) in found.items()]
    sources = {(type(d).__name__, str(d.root)) for d in datasets}
    if len(sources) > 1:
        listed = ', '.join(f'{kind} of {root}' for kind, root in sorted(sources))
        raise InputError(f'--groups: the config has several datasets: {listed}')
    dataset, parts = _official_parts(found.values())
    clips: dict[str, Clip] = {}
    for clip in (clip for part in parts.values() for clip in part):
        if clips.setdefault(clip.name, clip).label != clip.label:
            raise DatasetError(f'clip {clip.name} has different labels in two lists')
    group_of = read_groups(groups, clips, dataset.group_key)
    official = group_overlap(parts, group_of)
    print(f'The lists of the dataset, by {groups}: {describe_overlap(official)}\n')

    count = num_folds or (len(dataset.FOLDS) if len(dataset.FOLDS) > 1 else NUM_FOLDS)
    classes = [str(name) for name in dataset._metainfo['classes']]
    listed_clips = list(clips.values())
    try:
        part = assign_groups(
            listed_clips, group_of, [1 / count] * count, classes=classes
        ).tolist()
    except DatasetError as error:
        raise DatasetError(f'{count} folds by {groups}: {error}') from error
    made: dict[tuple[str, int], list[Clip]] = {}
    for fold in range(1, count + 1):
        for split in ('train', 'test'):
            made[split, fold] = [
                clip
                for clip, k in zip(listed_clips, part, strict=True)
                if (k + 1 == fold) == (split == 'test')
            ]
    files = {
        f'set_{fold}/{split}.csv': dataset.list_text(chosen)
        for (split, fold), chosen in made.items()
    }
    report = dict(official=official, folds=group_overlap(made, group_of))
    files['groups.json'] = json.dumps(report, indent=1, ensure_ascii=False) + '\n'
    write_folder(folder, files)
    print(f'Folds without a group in common, in {folder}:\n{_table(made, classes)}\n')
    options = {}
    for place, (loader, settings) in found.items():
        options[f'{place}.lists'] = str(folder)
        split = _split_of(loader)
        if settings.get('split', 'train') != split:
            options[f'{place}.split'] = split
    return options


def _split_of(loader: str) -> str:
    return 'train' if loader == 'train_dataloader' else 'test'


def _plain(place: str, settings: dict[str, Any]) -> DFERDataset:
    """Build a dataset without reading its lists."""
    dataset = DATASETS.build(dict(settings, lazy_init=True, pipeline=[]))
    if not isinstance(dataset, DFERDataset):
        raise InputError(
            f'--groups: {place} is a {type(dataset).__name__}, not one of the datasets '
            'of ifdd_mmaction'
        )
    if dataset.lists or (dataset.ANNOTATIONS and dataset.ann_file):
        name = 'lists' if dataset.lists else 'ann_file'
        raise InputError(f'--groups: {place}.{name} is set: remove it from the config')
    return dataset


def _official_parts(
    settings: Iterable[tuple[str, dict[str, Any]]],
) -> tuple[DFERDataset, dict[tuple[str, int], list[Clip]]]:
    """Return a dataset, and the clips of the splits and folds that it has.

    Args:
        settings: Name of a loader, and settings of a dataset in it.
    """
    parts: dict[tuple[str, int], dict[str, Clip]] = {}
    known = None
    for loader, own in settings:
        split = _split_of(loader)
        for fold in DATASETS.get(own['type']).FOLDS:
            dataset = DATASETS.build(
                dict(own, split=split, fold=fold, lazy_init=True, pipeline=[])
            )
            part = parts.setdefault((split, fold), {})
            part.update((clip.name, clip) for clip in dataset.load_clips())
            classes = tuple(dataset._metainfo['classes'])
            known = known or classes
            if classes != known:
                raise DatasetError(
                    f'two lists have different classes, {", ".join(known)} and '
                    f'{", ".join(classes)}: set metainfo=dict(classes=(...)) of both'
                )
    return dataset, {key: list(part.values()) for key, part in parts.items()}


def _table(parts: dict[tuple[str, int], list[Clip]], classes: Sequence[str]) -> str:
    """Return the number of test clips of each class and fold, in Markdown."""
    lines = [
        f'| fold | test clips | {" | ".join(classes)} |',
        f'| --- | --- | {" | ".join("---" for _ in classes)} |',
    ]
    for (split, fold), clips in parts.items():
        if split == 'test':
            labels = Counter(clip.label for clip in clips)
            cells = [fold, len(clips), *(labels[i] for i in range(len(classes)))]
            lines.append(f'| {" | ".join(map(str, cells))} |')
    return '\n'.join(lines)
