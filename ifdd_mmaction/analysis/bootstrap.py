"""How sure a mean is."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np


class Estimate(NamedTuple):
    """A mean and its 95 % interval."""

    mean: float
    low: float
    high: float


def cluster_bootstrap(
    values: np.ndarray, groups: Sequence[object], draws: int = 2000, seed: int = 0
) -> Estimate:
    """Estimate the mean of values that come in groups, as clips come in subjects.

    Clips of one subject are not independent: whole subjects are drawn with
    replacement, and the interval holds the middle 95 % of the means drawn. Paired
    differences of two quantities are compared by giving their differences.

    Args:
        values: ``(N,)``.
        groups: The group of each value, N of them.
        draws: How often to draw.
        seed: Of the random numbers: the same call gives the same interval.
    """
    values = np.asarray(values, dtype=np.float64)
    names, member = np.unique(np.asarray(groups).astype(str), return_inverse=True)
    sums = np.bincount(member, weights=values)
    counts = np.bincount(member)
    rng = np.random.default_rng(seed)
    drawn = rng.integers(len(names), size=(draws, len(names)))
    means = sums[drawn].sum(axis=1) / counts[drawn].sum(axis=1)
    low, high = np.quantile(means, [0.025, 0.975])
    return Estimate(float(values.mean()), float(low), float(high))
