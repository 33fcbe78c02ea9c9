"""Whether the frames of a group fall on the emotion."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from ..models.necks import sample_frames
from .bootstrap import Estimate, cluster_bootstrap

#: The two curves of :func:`emotion_curves`.
CURVES = ('intensity', 'change')


def emotion_curves(envelope: Tensor, num_frames: int) -> Tensor:
    """Return intensity and change of an emotion at the resolution of a feature.

    Change is the absolute slope, per frame of the clip: high in onset and offset. Each
    of the T frames of the feature stands for F/T frames of the clip, and gets their
    mean.

    Args:
        envelope: Intensity in the frames that the model saw, ``(N, F)``, F > 1.
        num_frames: T.

    Returns:
        ``(N, 2, T)``.
    """
    (slope,) = torch.gradient(envelope, dim=1)
    curves = torch.stack([envelope, slope.abs()], dim=1)  # (N, 2, F)
    return F.adaptive_avg_pool1d(curves, num_frames)


def mean_at(curves: Tensor, frames: Tensor) -> Tensor:
    """Return the mean ``(N, K)`` of curves ``(N, K, T)`` at real frames ``(N, n)``."""
    return sample_frames(curves[..., None, None], frames).mean(dim=(2, 3, 4))


class GroupTiming(NamedTuple):
    """How high the curves of an emotion are where the groups of a split read them.

    Attributes:
        groups: Mean height by group and curve: ``dynamics`` and ``context``; the same
            of the interval split (``interval dynamics``: odd frames, ``interval
            context``: even frames); ``fixed dynamics``, the frames that the dynamics
            group reads on average over the clips, the same in every clip; ``every
            frame``; and ``best frames``, the half of the frames where the curve is
            highest, which no group of whole frames can exceed.
        differences: The paired differences that matter, by name and curve. Against
            ``fixed dynamics`` only what depends on the clip is left.
        frames: Mean and standard deviation over the clips of each frame that is read,
            by group.
    """

    groups: dict[str, dict[str, Estimate]]
    differences: dict[str, dict[str, Estimate]]
    frames: dict[str, dict[str, list[float]]]


def group_timing(
    curves: Tensor, frames_s: Tensor, frames_d: Tensor, subjects: Sequence[str]
) -> GroupTiming:
    """Compare where a split reads with the interval split, clip by clip.

    Args:
        curves: Of :func:`emotion_curves`, ``(N, 2, T)``.
        frames_s: Frames that the context group reads, ``(N, n)``.
        frames_d: Frames that the dynamics group reads, ``(N, n)``.
        subjects: Who is seen in each clip, for the intervals.
    """
    t = curves.shape[2]
    regular = torch.arange(t + t % 2.0).clamp(max=t - 1).expand(len(curves), -1)
    heights = {
        'dynamics': mean_at(curves, frames_d),
        'context': mean_at(curves, frames_s),
        'interval dynamics': mean_at(curves, regular[:, 1::2]),
        'interval context': mean_at(curves, regular[:, 0::2]),
        'fixed dynamics': mean_at(curves, frames_d.mean(dim=0).expand_as(frames_d)),
        'every frame': curves.mean(dim=2),
        'best frames': curves.topk((t + 1) // 2, dim=2).values.mean(dim=2),
    }
    differences = {
        f'{one} - {other}': heights[one] - heights[other]
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
        {name: estimate(values) for name, values in heights.items()},
        {name: estimate(values) for name, values in differences.items()},
        {
            name: dict(
                mean=frames.mean(dim=0).tolist(),
                std=frames.std(dim=0, correction=0).tolist(),
            )
            for name, frames in (('dynamics', frames_d), ('context', frames_s))
        },
    )
