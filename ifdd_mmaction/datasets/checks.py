"""Check classes, batches and files of the data before a run starts."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from mmaction.registry import DATASETS
from mmengine.config import Config

from .class_counts import clip_labels
from .errors import DatasetError


def check_datasets(cfg: Config, loaders: Sequence[str]) -> None:
    """Check the datasets of the named loaders of a config before a run.

    Each dataset is built once. Its classes are compared with those of the model, its
    number of clips with the batch size. A runner raises the same errors, but only after
    it has made a work dir and built the model.

    Args:
        cfg: Config of a run.
        loaders: Names of data loaders in it; absent ones are left out.

    Raises:
        DatasetError: What the first bad dataset found (see :class:`DFERDataset`), or
            :func:`check_classes`, or :func:`check_batches`.

    Example:
        >>> from mmengine.config import Config
        >>> from ifdd_mmaction.datasets import check_datasets
        >>> dataset = dict(type='AnnotationFileDataset', ann_file='clips.csv')
        >>> cfg = Config(dict(train_dataloader=dict(batch_size=2, dataset=dataset)))
        >>> check_datasets(cfg, ['train_dataloader'])
        >>> cfg.model = dict(cls_head=dict(type='IFDDHead', num_classes=7))
        >>> check_datasets(cfg, ['train_dataloader'])
        Traceback (most recent call last):
        ...
        ifdd_mmaction...DatasetError: ...clips.csv has the labels 0 to 1 of 2 classes...
    """
    checked: list[dict] = []
    built: dict[str, Any] = {}
    for loader in loaders:
        dataset = (cfg.get(loader) or {}).get('dataset')
        if isinstance(dataset, dict) and dataset not in checked:
            checked.append(dataset)
            built[loader] = DATASETS.build(dataset)
    check_classes(cfg.get('model') or {}, built)
    for loader, dataset in built.items():
        check_batches(loader, cfg[loader], len(dataset), _ranks(cfg))


def _ranks(cfg: Config) -> int:
    variable = dict(pytorch='WORLD_SIZE', slurm='SLURM_NTASKS')
    name = variable.get(cfg.get('launcher', 'none'), '')
    return int(os.environ.get(name) or 1)


#: Arguments of losses that have one number for each class.
PER_CLASS = ('class_weight', 'class_counts')


def check_classes(model: Mapping[str, Any], datasets: Mapping[str, Any]) -> None:
    """Refuse data whose classes are not those that a model is built for.

    Compared are the labels of the clips, ``classes`` in the metainfo, ``num_classes``
    of the head and of blending, ``class_weight`` and ``class_counts`` of losses. Data
    with several labels per clip and heads without ``num_classes`` are not checked.

    Args:
        model: Config of a recognizer.
        datasets: Built datasets by their name in errors.

    Raises:
        DatasetError: If they differ; the message names the list and its labels.
    """
    head = model.get('cls_head')
    wanted = head.get('num_classes') if isinstance(head, Mapping) else None
    known: dict[str, list[str]] = {}
    for name, dataset in datasets.items():
        meta = getattr(dataset, 'metainfo', None) or {}
        classes = [str(c) for c in meta.get('classes') or ()]
        if classes:
            known[name] = classes
        if isinstance(wanted, int):
            _compare(name, dataset, classes, wanted)
    names = list(known)
    for other in names[1:]:
        if known[other] != known[names[0]]:
            raise DatasetError(
                f'{names[0]} has the classes {", ".join(known[names[0]])}, {other} has '
                f'{", ".join(known[other])}: set metainfo=dict(classes=(...)) of both '
                'datasets, the same names in the same order'
            )
    if not isinstance(wanted, int):
        return
    for place, value in _numbers(model, 'model'):
        found = len(value) if isinstance(value, (list, tuple)) else value
        if isinstance(found, int) and found != wanted:
            raise DatasetError(
                f'{place} has {found} classes, model.cls_head.num_classes is '
                f'{wanted}: set both to the classes of the data'
            )


def _compare(name: str, dataset: Any, classes: list[str], wanted: int) -> None:
    try:
        labels = clip_labels(dataset)
    except (DatasetError, AttributeError):  # several labels a clip, or a wrapper
        return
    if not len(labels):
        return
    low, high = int(labels.min()), int(labels.max())
    count = len(classes) or high + 1
    of = f' of {len(classes)} classes ({", ".join(classes)})' if classes else ''
    if low >= 0 and high < wanted and (not classes or count == wanted):
        return
    said = (
        f'{name}: {_place(dataset)} has the labels {low} to {high}{of}, but '
        f'model.cls_head.num_classes={wanted}: '
    )
    if low < 0:
        raise DatasetError(f'{said}labels start at 0: correct the list')
    if low == 1 and high == wanted:
        raise DatasetError(
            f'{said}labels start at 0: subtract 1 from each label of the list'
        )
    raise DatasetError(
        f'{said}set num_classes={count} there and in data_preprocessor, or use '
        f'data of {wanted} classes'
    )


def _numbers(settings: Any, place: str) -> Iterator[tuple[str, Any]]:
    """Yield every number of classes in a config of a model, with its path."""
    if isinstance(settings, Mapping):
        for key, value in settings.items():
            here = f'{place}.{key}'
            # A backbone's classifier, where it has one, is not used.
            if key == 'num_classes' or key in PER_CLASS:
                yield here, value
            elif key != 'backbone':
                yield from _numbers(value, here)
    elif isinstance(settings, (list, tuple)):
        for i, value in enumerate(settings):
            yield from _numbers(value, f'{place}[{i}]')


def _place(dataset: Any) -> str:
    """Return the name, in errors, of the list that a dataset has read."""
    while not hasattr(dataset, 'ann_file') and hasattr(dataset, 'dataset'):
        dataset = dataset.dataset
    if file := getattr(dataset, 'ann_file', ''):
        root = getattr(dataset, 'root', '')
        return os.path.join(root, file)
    root = getattr(dataset, 'root', None)
    return f'{type(dataset).__name__} of {root}' if root else type(dataset).__name__


def check_batches(
    name: str, loader: Mapping[str, Any], clips: int, ranks: int = 1
) -> None:
    """Refuse a loader without batches: with ``drop_last``, and too few clips for one.

    MMEngine ends with a failed assertion in that case (mmengine#945).

    Args:
        name: Name of the loader in the config.
        loader: Its settings.
        clips: Number of clips of its dataset.
        ranks: Processes that share them.

    Raises:
        DatasetError: If it has none, or ``batch_size`` or ``num_workers`` is not a
            whole number.
    """
    size = loader.get('batch_size')
    for key, least in dict(batch_size=1, num_workers=0).items():
        value = loader.get(key, least)
        if not isinstance(value, int) or value < least:
            raise DatasetError(
                f'{name}.{key}={value!r}: set it to a whole number of {least} or more'
            )
    share = int(np.ceil(clips / ranks))
    if isinstance(size, int) and loader.get('drop_last') and share < size:
        each = f' in {ranks} processes' if ranks > 1 else ''
        raise DatasetError(
            f'{name}: {clips} clips{each} are fewer than a batch of {size}, and '
            f'drop_last=True drops batches that are not full: set {name}.batch_size='
            f'{max(share, 1)}, or {name}.drop_last=False'
        )
