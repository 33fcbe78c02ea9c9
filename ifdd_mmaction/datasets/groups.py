"""Groups of clips, such as those of one person or film, and splits without leaks."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np

from .dfer_dataset import Clip
from .errors import DatasetError, name_some
from .label_list import csv_rows

#: The first line of a group file, which may also be without it.
HEADER = ['clip', 'group']


def read_groups(
    path: str | os.PathLike,
    clips: Iterable[str],
    key: Callable[[str], str] = str,
) -> dict[str, str]:
    """Read the group of each clip from a CSV file of ``clip,group``.

    Args:
        path: The file; a first line ``clip,group`` is skipped.
        clips: Names of the clips that need a group. Others are ignored.
        key: Returns what identifies a clip, for its name in the lists or in the file:
            ``group_key`` of the dataset.

    Returns:
        The group of each clip, in the order of ``clips``.

    Raises:
        DatasetError: If lines are bad, a clip has two groups, or clips have none.

    Example:
        >>> from pathlib import Path
        >>> from ifdd_mmaction.datasets.groups import read_groups
        >>> _ = Path('groups.csv').write_text('clip,group\\n1,anna\\n2,ben\\n3,ben\\n')
        >>> read_groups('groups.csv', ['2', '1'])
        {'2': 'ben', '1': 'anna'}
    """
    path, clips = Path(path), list(clips)
    found: dict[str, str] = {}
    errors = []
    for line, row in csv_rows(path):
        if row == HEADER:
            continue
        if len(row) != 2 or not all(row):
            errors.append(f'{path}:{line}: {",".join(row)!r} is not a clip and a group')
            continue
        name, group = row
        known = found.setdefault(key(name), group)
        if known != group:
            errors.append(
                f'{path}:{line}: clip {name} is in group {group}, in an earlier line '
                f'in group {known}'
            )
    if errors:
        raise DatasetError(f'{len(errors)} bad lines of groups:\n{name_some(errors)}')
    absent = [name for name in clips if key(name) not in found]
    if absent:
        raise DatasetError(
            f'{path}: {len(absent)} of {len(clips)} clips have no group, add them:\n'
            + name_some(absent)
        )
    return {name: found[key(name)] for name in clips}


def assign_groups(
    clips: Sequence[Clip],
    groups: Mapping[str, str],
    shares: Sequence[float],
    seed: int = 0,
    classes: Sequence[str] = (),
) -> np.ndarray:
    """Assign whole groups to parts, so that the parts have similar class frequencies.

    The algorithm is that of scikit-learn's ``StratifiedGroupKFold``, for parts of any
    size: groups whose clips are most unequal in class come first, and each goes to the
    part where the fractions of the classes then vary least between the parts. Groups
    that are equal in this are put in an order which depends only on names and seed.

    Args:
        clips: The clips.
        groups: Group by name of clip.
        shares: Fraction of the clips for each part; their sum is 1.
        seed: Seed of the order.
        classes: Names of the classes, for errors.

    Returns:
        The number of the part of each clip, ``(clips,)``.

    Raises:
        DatasetError: If a part has no clip of a class: its groups are too few or too
            large.

    Example:
        >>> from pathlib import Path
        >>> from ifdd_mmaction.datasets import Clip
        >>> from ifdd_mmaction.datasets.groups import assign_groups
        >>> clips = [Clip(str(i), i % 2, Path(str(i))) for i in range(6)]
        >>> groups = dict(zip('012345', 'aabbcc'))
        >>> assign_groups(clips, groups, [1 / 3] * 3).tolist()
        [0, 0, 2, 2, 1, 1]
    """
    names = sorted(
        {groups[clip.name] for clip in clips},
        key=lambda name: hashlib.sha256(f'{seed}:{name}'.encode()).digest(),
    )
    member = {name: i for i, name in enumerate(names)}
    labels, label = np.unique([clip.label for clip in clips], return_inverse=True)
    group = np.array([member[groups[clip.name]] for clip in clips])
    counts = np.zeros((len(names), len(labels)))
    np.add.at(counts, (group, label), 1)
    wanted = np.outer(shares, counts.sum(axis=0))  # clips, by part and class
    given = np.zeros_like(wanted)
    part = np.zeros(len(names), dtype=np.int64)
    for i in np.argsort(-counts.std(axis=1), kind='stable'):
        # (trials, parts, classes): the group in each part in turn.
        trials = given + np.eye(len(shares))[:, :, None] * counts[i]
        spread = (trials / wanted).std(axis=1).mean(axis=1)
        # Of equally good parts the emptiest: rounding may not decide.
        fullness = (given.sum(axis=1) / wanted.sum(axis=1)).round(9)
        part[i] = np.lexsort((fullness, spread.round(9)))[0]
        given[part[i]] += counts[i]
    for j, number in enumerate(labels):
        if not given[:, j].all():
            holders = np.flatnonzero(counts[:, j])
            largest = holders[counts[holders, j].argmax()]
            raise DatasetError(
                f'class {classes[number] if classes else number}: part '
                f'{int(given[:, j].argmin()) + 1} of {len(shares)} gets none of its '
                f'{int(counts[:, j].sum())} clips, which are in {len(holders)} groups, '
                f'{int(counts[largest, j])} of them in group {names[largest]}: make '
                'fewer parts, or smaller groups'
            )
    return part[group]
