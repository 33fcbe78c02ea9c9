"""WAR, UAR and recall with intervals bootstrapped over groups of clips."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from .emotion_timing import Estimate


class ScoreEstimates(NamedTuple):
    """Scores as fractions, with 95 % intervals.

    Attributes:
        WAR: Weighted average recall, which is accuracy.
        UAR: Mean recall of the classes that have clips.
        recall: Of each class; None for a class without clips.
    """

    WAR: Estimate
    UAR: Estimate
    recall: tuple[Estimate | None, ...]


def grouped_scores(
    correct: np.ndarray,
    labels: Sequence[int] | np.ndarray,
    groups: Sequence[object],
    num_classes: int,
    baseline: np.ndarray | None = None,
    draws: int = 2000,
    seed: int = 0,
) -> ScoreEstimates:
    """Estimate WAR, UAR and recall, or their paired difference to a baseline.

    Clips of one group, such as a subject, are not independent: whole groups are drawn
    with replacement, and the intervals are from the 2.5th to the 97.5th percentile. In
    a draw without clips of a class, UAR is the mean of the others.

    Args:
        correct: Whether each prediction is right, ``(N,)``.
        labels: Class of each clip, ``(N,)``.
        groups: Group of each clip, ``N``.
        num_classes: K.
        baseline: Predictions on the same clips from which the difference is taken,
            ``(N,)``; the same draws are made for both.
        draws: Number of bootstrap samples.
        seed: Seed of the random numbers; the same seed gives the same intervals.

    Example:
        >>> from ifdd_mmaction.analysis import grouped_scores
        >>> labels, subjects = [0, 0, 1, 1], ['anna', 'ben', 'anna', 'ben']
        >>> right = np.array([True, False, True, True])
        >>> found = grouped_scores(right, labels, subjects, num_classes=3)
        >>> found.UAR, found.recall[2]
        (Estimate(mean=0.75, low=0.5, high=1.0), None)
    """
    labels = np.asarray(labels)
    names, member = np.unique(np.asarray(groups).astype(str), return_inverse=True)
    size = len(names)
    times = draw_groups(size, draws, seed)

    def summed(values: np.ndarray) -> np.ndarray:
        """Sum values (N,) by draw and class, (draws + 1, K)."""
        table = np.zeros((size, num_classes))
        np.add.at(table, (member, labels), values)
        return times @ table

    counts = summed(np.ones(len(labels)))

    def scores(hits: np.ndarray) -> np.ndarray:
        """Return WAR, UAR and recall by draw, (draws + 1, 2 + K)."""
        sums = summed(np.asarray(hits, float))
        recall = np.full_like(sums, np.nan)
        np.divide(sums, counts, out=recall, where=counts > 0)
        war = sums.sum(axis=1) / counts.sum(axis=1)
        return np.column_stack([war, np.nanmean(recall, axis=1), recall])

    found = scores(correct)
    if baseline is not None:
        found = found - scores(baseline)
    estimates = [estimate_of(column) for column in found.T]
    return ScoreEstimates(estimates[0], estimates[1], tuple(estimates[2:]))  # type: ignore[arg-type]


@functools.lru_cache(maxsize=1)
def draw_groups(size: int, draws: int, seed: int) -> np.ndarray:
    """Return how often each draw has each group; the first row has each once.

    Args:
        size: Number of groups.
        draws: Number of bootstrap samples.
        seed: Seed of the random numbers.

    Returns:
        ``(1 + draws, size)``.
    """
    rng = np.random.default_rng(seed)
    drawn = rng.multinomial(size, np.full(size, 1 / size), size=draws)
    return np.concatenate([np.ones((1, size)), drawn])


def estimate_of(column: np.ndarray) -> Estimate | None:
    """Return the estimate of a score in each draw ``(1 + draws,)``; None for NaN."""
    if np.isnan(column[0]):
        return None
    low, high = np.nanquantile(column[1:], [0.025, 0.975])
    return Estimate(float(column[0]), float(low), float(high))
