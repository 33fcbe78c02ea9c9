"""Recall of smiles by how strong they are: whether weak ones explain what is missed."""

from __future__ import annotations

from typing import Any

import numpy as np

from ifdd_mmaction.analysis import grouped_scores

from .predictions import ClipScores
from .sets import UNKNOWN, PhotoSet

#: Groups of about equal size, from the weakest smiles to the strongest.
PARTS = 'weakest third', 'middle third', 'strongest third'


def score_smiles(
    scores: ClipScores, photos: PhotoSet, happy: int
) -> dict[str, Any] | None:
    """Return the recall of smiles of each strength, of everybody and by gender.

    Args:
        scores: Of the photographs.
        photos: Their set.
        happy: Number of the class of smiles.

    Returns:
        For each of :data:`PARTS` its range of strength, and for each gender, and
        ``'everybody'``, the number of smiles and the recall, over people. None of a set
        without the strengths of at least three smiles.
    """
    chosen = [
        i
        for i, (clip, label) in enumerate(
            zip(scores.clips, scores.labels.tolist(), strict=True)
        )
        if label == happy and clip in photos.smiles
    ]
    if len(chosen) < len(PARTS):
        return None
    strengths = np.array([photos.smiles[scores.clips[i]] for i in chosen])
    people = [photos.person(scores.clips[i]) for i in chosen]
    right = scores.probabilities[chosen].argmax(axis=1) == happy
    genders = np.array([person.groups['gender'] for person in people])
    names = np.array([person.name for person in people])
    known = sorted(set(genders.tolist()) - {UNKNOWN})
    parts = {}
    order = np.argsort(strengths, kind='stable')
    for part, which in zip(PARTS, np.array_split(order, len(PARTS)), strict=True):
        groups = {'everybody': which}
        groups |= {gender: which[genders[which] == gender] for gender in known}
        parts[part] = dict(
            strength=[float(strengths[which[0]]), float(strengths[which[-1]])],
            groups={
                name: _recall(right[members], names[members].tolist())
                for name, members in groups.items()
            },
        )
    return parts


def _recall(right: np.ndarray, people: list[str]) -> dict[str, Any]:
    if not people:
        return dict(smiles=0, recall=None)
    labels = np.zeros(len(people), int)
    (recall,) = grouped_scores(right, labels, people, 1).recall
    return dict(smiles=len(people), recall=recall and recall._asdict())
