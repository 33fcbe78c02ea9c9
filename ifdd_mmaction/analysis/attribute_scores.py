"""UAR of groups of people, and how far it is from that of all, with intervals."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from .emotion_timing import Estimate
from .grouped_scores import draw_groups, estimate_of


class AttributeScore(NamedTuple):
    """Scores of the people who share a value of an attribute, with 95 % intervals.

    Attributes:
        people: Their number.
        clips: Number of their clips.
        UAR: Mean recall of the classes of which they have clips, as a fraction.
        minus_all: UAR minus that of all people.
    """

    people: int
    clips: int
    UAR: Estimate
    minus_all: Estimate


def attribute_scores(
    correct: Sequence[bool] | np.ndarray,
    labels: Sequence[int] | np.ndarray,
    people: Sequence[object],
    values: Sequence[str],
    num_classes: int,
    draws: int = 2000,
    seed: int = 0,
) -> dict[str, AttributeScore]:
    """Estimate the UAR of each group of people, and its difference to that of all.

    People are drawn with replacement, all their clips with them. The same draws are
    used for a group and for all, so that the interval of the difference is that of the
    pair; a draw without people of a group says nothing about it and is left out.

    Args:
        correct: Whether each prediction is right, ``(N,)``.
        labels: Class of each clip, ``(N,)``.
        people: Person of each clip, ``N``.
        values: Value of the attribute of that person, ``N``.
        num_classes: K.
        draws: Number of bootstrap samples.
        seed: Seed of the random numbers; the same seed gives the same intervals.

    Returns:
        Scores by value, values in alphabetical order.

    Example:
        >>> from ifdd_mmaction.analysis import attribute_scores
        >>> people, gender = ['anna', 'ben', 'cleo'], ['female', 'male', 'female']
        >>> found = attribute_scores([True, False, True], [0, 0, 0], people, gender, 2)
        >>> [(name, score.people, score.UAR.mean) for name, score in found.items()]
        [('female', 2, 1.0), ('male', 1, 0.0)]
        >>> round(found['male'].minus_all.mean, 3)
        -0.667
    """
    truth, given = np.asarray(labels), np.asarray(values).astype(str)
    names, member = np.unique(np.asarray(people).astype(str), return_inverse=True)
    times = draw_groups(len(names), draws, seed)

    def uar(clips: np.ndarray) -> np.ndarray:
        """Return the UAR of some clips in each draw, (draws + 1,)."""
        hits, counts = np.zeros((2, len(names), num_classes))
        np.add.at(hits, (member[clips], truth[clips]), np.asarray(correct)[clips])
        np.add.at(counts, (member[clips], truth[clips]), 1)
        sums, sizes = times @ hits, times @ counts
        recall = np.divide(sums, sizes, out=np.zeros_like(sums), where=sizes > 0)
        present = (sizes > 0).sum(axis=1)
        mean = np.full(len(times), np.nan)
        return np.divide(recall.sum(axis=1), present, out=mean, where=present > 0)

    every = uar(np.ones(len(truth), bool))
    found = {}
    for value in np.unique(given):
        clips = given == value
        own = uar(clips)
        uar_of, minus = estimate_of(own), estimate_of(own - every)
        if uar_of is not None and minus is not None:
            found[str(value)] = AttributeScore(
                len(np.unique(member[clips])), int(clips.sum()), uar_of, minus
            )
    return found
