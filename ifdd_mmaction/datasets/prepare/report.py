"""Compare a dataset on disk with what was published, and report differences."""

from __future__ import annotations

import json
import os
from collections import Counter, defaultdict
from typing import Any

from ...fileio import write_atomic
from ..dfer_dataset import Clip
from ..errors import name_some
from ..face_crops import MAX_ASPECT
from .check import ClipCheck
from .splits import SPLITS, EvaluationProtocol, Lists

#: Clips of fewer frames are padded where a model takes 16.
SHORT = 16
#: Findings that do not conflict with the protocol: reported as remarks.
REMARKS = ('short',)


def make_report(
    protocol: EvaluationProtocol,
    lists: Lists,
    checks: dict[str, ClipCheck],
    compare_counts: bool = True,
) -> dict[str, Any]:
    """Return the report, as JSON data.

    ``findings`` has a list of messages for each type of problem, ``remarks`` for what
    the protocol expects. Both name clips.

    Args:
        protocol: What was published.
        lists: The lists on disk.
        checks: Result of checking each clip, by path.
        compare_counts: Whether counts other than the published ones are a finding.
    """
    clips = lists.clips
    found = {name: checks[str(clip.path)] for name, clip in clips.items()}
    findings: dict[str, list[str]] = dict(
        lists=[*lists.errors, *_changing_labels(lists)],
        counts=_wrong_counts(protocol, lists) if compare_counts else [],
        missing=[f'{n}: {c.errors[0]}' for n, c in found.items() if not c.state],
        corrupt=[f'{n}: {e}' for n, c in found.items() if c.state for e in c.errors],
        duplicates=_duplicates(lists, found),
        mixed_sizes=[
            f'{n}: frames of {", ".join(c.sizes)} pixels'
            for n, c in found.items()
            if len(c.sizes) > 1
        ],
        not_square=[
            f'{n}: {size} pixels'
            for n, c in found.items()
            if (size := next(iter(c.sizes), None)) and _is_wide(size)
        ],
        short=[
            f'{n}: {c.frames} frames' for n, c in found.items() if 0 < c.frames < SHORT
        ],
    )
    remarks = {kind: findings.pop(kind) for kind in REMARKS}
    frames = Counter(c.frames for c in found.values())
    sizes: Counter[str] = Counter()
    for check in found.values():
        sizes.update(check.sizes)
    return dict(
        dataset=protocol.dataset,
        storage=lists.storage,
        release=lists.release,
        clips=len(clips),
        frames_in_a_clip={str(k): frames[k] for k in sorted(frames)},
        frame_sizes=dict(sizes.most_common()),
        parts=_count_parts(protocol, lists),
        findings=findings,
        remarks=remarks,
    )


def write_report(path: str | os.PathLike, report: dict[str, Any]) -> None:
    """Write a report as JSON: whole or not at all.

    Raises:
        OSError: If it cannot be written.
    """
    text = json.dumps(report, indent=2, ensure_ascii=False) + '\n'
    write_atomic(path, text.encode())


def summarize(report: dict[str, Any]) -> str:
    """Return the report in words, with the first few of each kind of trouble."""
    lines = ['', f'{report["dataset"]}: {report["clips"]} clips of {report["release"]}']
    for part in report['parts']:
        published = part['published'] or 'not known'
        lines.append(
            f'  {part["split"]:5} fold {part["fold"]}: {part["clips"]:6} clips '
            f'(published: {published})'
        )
    for kind, found in {**report['findings'], **report['remarks']}.items():
        if found:
            lines += [f'{kind.replace("_", " ")}: {len(found)}', name_some(found)]
    if not any(report['findings'].values()):
        lines.append('All well.')
    return '\n'.join(lines)


def _count_parts(protocol: EvaluationProtocol, lists: Lists) -> list[dict[str, Any]]:
    rows = []
    for (split, fold), clips in lists.parts.items():
        published = protocol.classes.get((split, fold))
        row = dict(
            split=split,
            fold=fold,
            clips=len(clips),
            published=protocol.clips.get((split, fold)),
            classes=dict(zip(lists.classes, _by_class(lists, clips), strict=True)),
            published_classes=published
            and dict(zip(lists.classes, published, strict=True)),
        )
        rows.append(row)
    return rows


def _by_class(lists: Lists, clips: list[Clip]) -> list[int]:
    counts = Counter(clip.label for clip in clips)
    return [counts[label] for label in range(len(lists.classes))]


def _wrong_counts(protocol: EvaluationProtocol, lists: Lists) -> list[str]:
    wrong = []
    for part in _count_parts(protocol, lists):
        place = f'{part["split"]} fold {part["fold"]}'
        if part['published'] not in (None, part['clips']):
            wrong.append(f'{place}: {part["clips"]}, published {part["published"]}')
        for name, count in (part['published_classes'] or {}).items():
            if part['classes'][name] != count:
                wrong.append(
                    f'{place}, {name}: {part["classes"][name]}, published {count}'
                )
    for fold in sorted({fold for _, fold in lists.parts}):
        both = [lists.parts.get((split, fold)) for split in SPLITS]
        total = sum(len(clips) for clips in both if clips is not None)
        if None not in both and total != protocol.total:
            wrong.append(f'fold {fold}: {total}, published {protocol.total}')
    return wrong


def _changing_labels(lists: Lists) -> list[str]:
    labels: dict[str, set[int]] = defaultdict(set)
    for part in lists.parts.values():
        for clip in part:
            labels[clip.name].add(clip.label)
    return [
        f'{name}: labeled {" and ".join(lists.classes[i] for i in sorted(found))}'
        for name, found in labels.items()
        if len(found) > 1
    ]


def _duplicates(lists: Lists, found: dict[str, ClipCheck]) -> list[str]:
    """Name the clips of the same bytes, and what makes them worse."""
    groups: dict[str, list[str]] = defaultdict(list)
    for name, check in found.items():
        if check.digest:
            groups[check.digest].append(name)
    clips = lists.clips
    sides: dict[str, dict[int, str]] = defaultdict(dict)
    for (split, fold), part in lists.parts.items():
        for clip in part:
            sides[clip.name][fold] = split
    messages = []
    for names in (names for names in groups.values() if len(names) > 1):
        message = ' = '.join(names)
        labels = sorted({clips[name].label for name in names})
        if len(labels) > 1:
            message += ', labeled ' + ' and '.join(lists.classes[i] for i in labels)
        leaks = [
            str(fold)
            for fold in sorted({fold for _, fold in lists.parts})
            if len({sides[name].get(fold) for name in names} - {None}) > 1
        ]
        if leaks:
            message += f', in train and in test of fold {", ".join(leaks)}'
        messages.append(message)
    return messages


def _is_wide(size: str) -> bool:
    low, high = sorted(int(edge) for edge in size.split(' x '))
    return high > MAX_ASPECT * low
