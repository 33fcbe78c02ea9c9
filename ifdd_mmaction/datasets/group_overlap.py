"""How many groups, such as persons or films, the folds of a dataset share."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import Any

from .dfer_dataset import Clip


def group_overlap(
    parts: Mapping[tuple[str, int], Sequence[Clip]], groups: Mapping[str, str]
) -> dict[str, Any]:
    """Count the groups that folds have on both sides, and those of two test folds.

    Args:
        parts: Clips by split (``'train'`` or ``'test'``) and fold.
        groups: Group by name of clip.

    Returns:
        JSON data. ``folds``, one for each fold with both splits: the number of
        ``groups`` in each split, the names of the ``shared`` groups, and the number of
        ``clips`` and of ``shared_clips`` in each split. ``pairs``, one for each two
        folds: the names of the groups ``shared`` by their test splits, and how many
        clips these have in each.

    Example:
        >>> from pathlib import Path
        >>> from ifdd_mmaction.datasets import Clip
        >>> from ifdd_mmaction.datasets.group_overlap import group_overlap
        >>> a, b, c = (Clip(name, 0, Path(name)) for name in 'abc')
        >>> groups = dict(a='film 1', b='film 1', c='film 2')
        >>> report = group_overlap({('train', 1): [a, c], ('test', 1): [b]}, groups)
        >>> report['folds'][0]['shared'], report['folds'][0]['shared_clips']
        (['film 1'], {'train': 1, 'test': 1})
    """
    sides = {
        part: Counter(groups[clip.name] for clip in clips)
        for part, clips in parts.items()
    }
    folds = []
    for fold in sorted({fold for _, fold in parts}):
        both = {s: sides[s, fold] for s in ('train', 'test') if (s, fold) in sides}
        if len(both) < 2:
            continue
        shared = sorted(both['train'].keys() & both['test'].keys())
        folds.append(
            dict(
                fold=fold,
                groups={split: len(counts) for split, counts in both.items()},
                clips={split: sum(counts.values()) for split, counts in both.items()},
                shared=shared,
                shared_clips={
                    split: sum(counts[name] for name in shared)
                    for split, counts in both.items()
                },
            )
        )
    tests = sorted(fold for split, fold in parts if split == 'test')
    pairs = []
    for pair in combinations(tests, 2):
        both_tests = [sides['test', fold] for fold in pair]
        shared = sorted(both_tests[0].keys() & both_tests[1].keys())
        clips_of = [sum(counts[name] for name in shared) for counts in both_tests]
        pairs.append(dict(folds=list(pair), shared=shared, shared_clips=clips_of))
    return dict(groups=len(set(groups.values())), folds=folds, pairs=pairs)


def describe_overlap(report: Mapping[str, Any]) -> str:
    """Return the report of :func:`group_overlap` as tables in Markdown.

    Example:
        >>> from ifdd_mmaction.datasets.group_overlap import describe_overlap
        >>> side = dict(train=2, test=1)
        >>> row = dict(fold=1, groups=side, clips=side, shared=[], shared_clips=side)
        >>> print(describe_overlap(dict(groups=3, folds=[row], pairs=[])))
        3 groups
        <BLANKLINE>
        | fold | train groups | test groups | in both | test clips of these | of |
        | --- | --- | --- | --- | --- | --- |
        | 1 | 2 | 1 | 0 | 1 | 1 |
    """
    lines = [
        f'{report["groups"]} groups',
        '',
        '| fold | train groups | test groups | in both | test clips of these | of |',
        '| --- | --- | --- | --- | --- | --- |',
    ]
    for row in report['folds']:
        cells = [
            row['fold'],
            *row['groups'].values(),
            len(row['shared']),
            row['shared_clips']['test'],
            row['clips']['test'],
        ]
        lines.append(f'| {" | ".join(map(str, cells))} |')
    if report['pairs']:
        lines += [
            '',
            '| test folds | groups in both | their clips |',
            '| --- | --- | --- |',
        ]
    for row in report['pairs']:
        one, other = row['folds']
        clips = ' + '.join(map(str, row['shared_clips']))
        lines.append(f'| {one}, {other} | {len(row["shared"])} | {clips} |')
    return '\n'.join(lines)
