"""Scores of clips of photographed people, by set, by person and by group."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ifdd_mmaction.analysis import attribute_scores, grouped_scores
from ifdd_mmaction.analysis.grouped_scores import ScoreEstimates
from ifdd_mmaction.evaluation import calibration_scores

from .predictions import ClipScores
from .sets import ATTRIBUTES, UNKNOWN, PhotoSet
from .smiles import score_smiles

#: Groups of fewer people are reported, too, but their gaps are mostly chance.
FEW = 5


def score_held_out(
    found: Mapping[str, ClipScores], of: PhotoSet, classes: Sequence[str]
) -> dict[str, Any]:
    """Score the clips of held-out people."""
    scores = found['held_out']
    return _scores(scores, of, classes) | _groups(scores, of, classes)


def score_photos(
    scores: ClipScores,
    photos: PhotoSet,
    trained: PhotoSet,
    fold: int,
    classes: Sequence[str],
) -> dict[str, Any]:
    """Score photographs of all people, and of those trained on and held out apart.

    Args:
        scores: Of the photographs.
        photos: Their set.
        trained: The set of which the other folds were trained on, as neutral heads.
        fold: The held-out fold.
        classes: Names of the K classes.
    """  # fmt: skip
    known = {p.name for p in trained.people.values() if p.fold != fold}
    seen = np.array([photos.person(clip).name in known for clip in scores.clips])
    parts = dict(everybody=np.ones_like(seen), trained_on=seen, held_out=~seen)
    return {
        name: _scores(_some(scores, chosen), photos, classes) if chosen.any() else None
        for name, chosen in parts.items()
    } | dict(
        _groups(scores, photos, classes),
        smiles=score_smiles(scores, photos, list(classes).index('happy')),
    )


def compared(
    base: Mapping[str, ClipScores],
    found: Mapping[str, ClipScores],
    held_out: PhotoSet,
    photos: PhotoSet | None,
    classes: Sequence[str],
) -> dict[str, Any]:
    """Return by how much the first model is better, paired by clip."""
    return {
        key: _named(
            grouped_scores(
                _correct(base[key]),
                base[key].labels,
                _people(base[key], of),
                len(classes),
                baseline=_correct(found[key]),
            ),
            classes,
        )
        for key, of in (('held_out', held_out), ('photos', photos))
        if of is not None
    }


def _scores(scores: ClipScores, of: PhotoSet, classes: Sequence[str]) -> dict[str, Any]:
    people = _people(scores, of)
    size = len(classes)
    calibration = calibration_scores(scores.probabilities, scores.labels)
    confusion = np.zeros((size, size), int)
    np.add.at(confusion, (scores.labels, scores.probabilities.argmax(axis=1)), 1)
    return dict(
        clips=len(scores.clips),
        people=len(set(people)),
        **_named(
            grouped_scores(_correct(scores), scores.labels, people, size), classes
        ),
        calibration={k: calibration[k] for k in ('ECE', 'AURC', 'Brier', 'NLL')},
        confusion_matrix=confusion.tolist(),
    )


def _groups(scores: ClipScores, of: PhotoSet, classes: Sequence[str]) -> dict[str, Any]:
    """Return the scores of each group, and the group farthest below the mean."""
    people = _people(scores, of)
    groups: dict[str, Any] = {}
    for name in ATTRIBUTES:
        values = [of.person(clip).groups[name] for clip in scores.clips]
        found = attribute_scores(
            _correct(scores), scores.labels, people, values, len(classes)
        )
        groups[name] = {
            value: dict(
                people=score.people,
                clips=score.clips,
                UAR=score.UAR._asdict(),
                minus_all=score.minus_all._asdict(),
            )
            for value, score in sorted(found.items(), key=_group_order)
        }
    gaps = [
        dict(attribute=name, group=value, **score)
        for name, found in groups.items()
        for value, score in found.items()
        if value != UNKNOWN
    ]
    enough = [gap for gap in gaps if gap['people'] >= FEW]
    return dict(
        groups=groups,
        largest_gap=min(gaps, key=_gap, default=None),
        largest_gap_of_enough_people=min(enough, key=_gap, default=None),
    )


def _group_order(item: tuple[str, Any]) -> tuple[bool, bool, str]:
    """Sort groups by name, the youngest first and those who reported none last."""
    value = item[0]
    return value == UNKNOWN, not value.startswith('under'), value


def _gap(group: Mapping[str, Any]) -> float:
    return group['minus_all']['mean']


def _correct(scores: ClipScores) -> np.ndarray:
    return scores.probabilities.argmax(axis=1) == scores.labels


def _people(scores: ClipScores, of: PhotoSet) -> list[str]:
    return [of.person(clip).name for clip in scores.clips]


def _some(scores: ClipScores, chosen: np.ndarray) -> ClipScores:
    clips = [clip for clip, taken in zip(scores.clips, chosen, strict=True) if taken]
    return ClipScores(clips, scores.labels[chosen], scores.probabilities[chosen])


def _named(found: ScoreEstimates, classes: Sequence[str]) -> dict[str, Any]:
    recall = {
        name: None if estimate is None else estimate._asdict()
        for name, estimate in zip(classes, found.recall, strict=True)
    }
    return dict(WAR=found.WAR._asdict(), UAR=found.UAR._asdict(), recall=recall)
