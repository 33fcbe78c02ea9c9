"""Intensity of the expression at the frames of each group, with 95 % intervals."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from ..models.necks import sample_frames
from ..models.necks.temporal_split import interval_frames


class Estimate(NamedTuple):
    """A mean and its 95 % confidence interval."""

    mean: float
    low: float
    high: float


def cluster_bootstrap(
    values: np.ndarray, groups: Sequence[object], draws: int = 2000, seed: int = 0
) -> Estimate:
    """Estimate the mean of values of groups, such as the clips of subjects.

    Clips of one subject are not independent: whole subjects are sampled with
    replacement, and the interval is from the 2.5th to the 97.5th percentile of the
    sampled means. To compare two paired quantities, pass their differences.

    Args:
        values: Values ``(N,)``.
        groups: The group of each value, ``N``.
        draws: Number of bootstrap samples.
        seed: Seed of the random numbers; the same seed gives the same interval.

    Example:
        >>> from ifdd_mmaction.analysis import cluster_bootstrap
        >>> right = [1, 1, 1, 0, 0, 1, 1, 0]
        >>> subjects = ['anna', 'anna', 'ben', 'ben', 'eve', 'eve', 'kim', 'kim']
        >>> mean, low, high = cluster_bootstrap(right, subjects)
        >>> mean, low, high
        (0.625, 0.5, 0.875)
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


#: Names of the curves of :func:`emotion_curves`.
CURVES = ('intensity', 'change')


def emotion_curves(envelope: Tensor, num_frames: int) -> Tensor:
    """Return intensity and change of an expression at the temporal size of a feature.

    Change is the absolute slope per frame of the clip: high in onset and offset. Each
    of the T frames of the feature gets the mean over its F/T frames of the clip.

    Args:
        envelope: Intensity in the input frames of the model, ``(N, F)``, F > 1.
        num_frames: Number of frames of the feature, T.

    Returns:
        Curves ``(N, 2, T)``.

    Example:
        >>> from ifdd_mmaction.analysis import emotion_curves
        >>> envelope = torch.tensor([[0.0, 0.0, 1.0, 1.0]])
        >>> emotion_curves(envelope, num_frames=2).tolist()
        [[[0.0, 1.0], [0.25, 0.25]]]
    """
    (slope,) = torch.gradient(envelope, dim=1)
    curves = torch.stack([envelope, slope.abs()], dim=1)  # (N, 2, F)
    return F.adaptive_avg_pool1d(curves, num_frames)


def mean_at(curves: Tensor, frames: Tensor) -> Tensor:
    """Return the mean ``(N, K)`` of curves ``(N, K, T)`` at positions ``(N, n)``.

    Example:
        >>> from ifdd_mmaction.analysis import mean_at
        >>> curves = torch.tensor([[[0.0, 1.0, 2.0, 3.0]]])
        >>> mean_at(curves, torch.tensor([[0.5, 2.5]]))
        tensor([[1.5000]])
    """
    return sample_frames(curves[..., None, None], frames).mean(dim=(2, 3, 4))


class GroupTiming(NamedTuple):
    """Means of the curves of an expression at the positions of the groups of a split.

    Attributes:
        groups: Mean value by group and curve: ``dynamics`` and ``context``; the same
            for the interval split (``interval dynamics``: odd frames, ``interval
            context``: even frames); ``fixed dynamics``, the positions of the dynamics
            group averaged over the clips, the same in every clip; ``every frame``; and
            ``best frames``, the half of the frames with the highest values, an upper
            bound for groups of whole frames.
        differences: Paired differences, by name and curve. The difference to ``fixed
            dynamics`` measures only the dependence on the clip.
        frames: Mean and standard deviation over the clips of each sampling position,
            by group.
    """

    groups: dict[str, dict[str, Estimate]]
    differences: dict[str, dict[str, Estimate]]
    frames: dict[str, dict[str, list[float]]]


def group_timing(
    curves: Tensor, frames_s: Tensor, frames_d: Tensor, subjects: Sequence[str]
) -> GroupTiming:
    """Compare the sampling positions of a split with the interval split, per clip.

    Args:
        curves: Curves of :func:`emotion_curves`, ``(N, 2, T)``.
        frames_s: Sampling positions of the context group, ``(N, n)``.
        frames_d: Sampling positions of the dynamics group, ``(N, n)``.
        subjects: Subject of each clip, for the confidence intervals.

    Example:
        >>> from ifdd_mmaction.analysis import emotion_curves, group_timing
        >>> envelope = torch.tensor([[0.0, 1.0, 0.0, 0.0], [0.0, 0.0, 0.0, 1.0]])
        >>> curves = emotion_curves(envelope, num_frames=4)
        >>> even, odd = torch.tensor([[0.0, 2.0]] * 2), torch.tensor([[1.0, 3.0]] * 2)
        >>> timing = group_timing(curves, even, odd, subjects=['anna', 'ben'])
        >>> timing.groups['dynamics']['intensity'].mean
        0.5
        >>> timing.differences['dynamics - context']['intensity'].mean
        0.5
    """
    t = curves.shape[2]
    even, odd = (g.float().expand(len(curves), -1) for g in interval_frames(t))
    means = {
        'dynamics': mean_at(curves, frames_d),
        'context': mean_at(curves, frames_s),
        'interval dynamics': mean_at(curves, odd),
        'interval context': mean_at(curves, even),
        'fixed dynamics': mean_at(curves, frames_d.mean(dim=0).expand_as(frames_d)),
        'every frame': curves.mean(dim=2),
        'best frames': curves.topk((t + 1) // 2, dim=2).values.mean(dim=2),
    }
    differences = {
        f'{one} - {other}': means[one] - means[other]
        for one, other in (
            ('dynamics', 'interval dynamics'),
            ('dynamics', 'context'),
            ('dynamics', 'fixed dynamics'),
        )
    }

    def estimate(values: Tensor) -> dict[str, Estimate]:
        return {
            name: cluster_bootstrap(values[:, i].numpy(), subjects)
            for i, name in enumerate(CURVES)
        }

    return GroupTiming(
        {name: estimate(values) for name, values in means.items()},
        {name: estimate(values) for name, values in differences.items()},
        {
            name: dict(
                mean=frames.mean(dim=0).tolist(),
                std=frames.std(dim=0, correction=0).tolist(),
            )
            for name, frames in (('dynamics', frames_d), ('context', frames_s))
        },
    )
