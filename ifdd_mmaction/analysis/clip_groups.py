"""Which clips belong together: those of a subject, a film or another group."""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from ..datasets.groups import read_groups
from ..datasets.label_list import read_text


class ClipGroups(NamedTuple):
    """The group of each clip, and where it is from.

    Attributes:
        groups: Of each clip, ``N``.
        source: Such as ``'subjects of clips.csv'``; ``'clips'`` if no groups are known
            and each clip is a group of its own.
    """

    groups: list[str]
    source: str


def clip_groups(
    clips: Sequence[str],
    infos: Sequence[Mapping[str, Any]],
    root: str | os.PathLike | None = None,
    file: str | os.PathLike | None = None,
    key: Callable[[str], str] = str,
) -> ClipGroups:
    """Find the groups of clips: in a file, or as subjects in the dataset.

    Args:
        clips: Names of the clips, ``N``.
        infos: What the dataset knows of each clip; a ``subject`` or a ``group``, if all
            have one.
        root: Folder of the data; a ``clips.csv`` in it may have the clip in its first
            column, and a column ``subject``.
        file: CSV of clip and group; it goes before both.
        key: Of the names in this file, ``group_key`` of the dataset.

    Example:
        >>> from ifdd_mmaction.analysis import clip_groups
        >>> clip_groups(['1', '2'], [dict(subject='anna'), dict(subject='ben')])
        ClipGroups(groups=['anna', 'ben'], source='subjects of the dataset')
        >>> clip_groups(['1', '2'], [{}, {}])
        ClipGroups(groups=['1', '2'], source='clips')
    """
    if file is not None:
        known = read_groups(file, clips, key)
        source = f'groups of {Path(file).name}'
        return ClipGroups([known[clip] for clip in clips], source)
    for kind in ('subject', 'group'):
        if infos and all(kind in info for info in infos):
            return ClipGroups([str(i[kind]) for i in infos], f'{kind}s of the dataset')
    table = Path(root) / 'clips.csv' if root is not None else None
    if table is not None and table.is_file():
        rows = list(csv.DictReader(io.StringIO(read_text(table), newline='')))
        known = {next(iter(r.values())): r['subject'] for r in rows if r.get('subject')}
        if all(clip in known for clip in clips):
            return ClipGroups([known[clip] for clip in clips], 'subjects of clips.csv')
    return ClipGroups(list(clips), 'clips')
