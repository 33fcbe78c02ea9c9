"""How many bad frames the groups of a split read."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch.nn import functional as F

from ..errors import InputError
from .clip_frames import replacement_order
from .clip_variants import VariantPlan, noisy_name
from .emotion_timing import cluster_bootstrap, mean_at
from .frame_orders import IN_ORDER
from .variant_runs import VariantScores


def bad_frame_shares(
    found: VariantScores,
    plan: VariantPlan,
    kind: str,
    count: int,
    groups: Sequence[str],
) -> dict[str, Any]:
    """Return how many bad frames the groups of a split read.

    A frame of the feature stands for F / T frames of the clip, and is as bad as they
    are on average; between two frames it is interpolated, as the split does.

    Args:
        found: Of a model with a split.
        plan: The variants.
        kind: Of the bad frames.
        count: Number of the bad frames.
        groups: Group of each clip, for the intervals.

    Raises:
        InputError: If the model has no split.

    Returns:
        ``dynamics`` and ``context``: the share of bad frames among the frames read;
        ``dynamics_before`` and ``context_before``: that at the frames which the groups
        read in the clip without bad frames; ``dynamics_moved`` and ``context_moved``:
        the paired difference, below 0 where a group avoids the bad frames; each with
        interval. ``chance``: the share of bad frames in the clip.

    Example:
        >>> from ifdd_mmaction.analysis import VariantPlan, bad_frame_shares
        >>> from ifdd_mmaction.analysis import VariantScores, replacement_order
        >>> plan, bad = VariantPlan(), replacement_order(4, seed=0, clip='anna')
        >>> frames = {'in order': [[bad[:2], bad[2:]]], 'black 1': [[bad[1:3]] * 2]}
        >>> found = VariantScores(4, ['anna'], {}, np.zeros(1, bool), [''],
        ...     {name: np.array(p, float) for name, p in frames.items()}, 4)
        >>> shares = bad_frame_shares(found, plan, 'black', 1, ['anna'])
        >>> shares['dynamics_before']['mean'], shares['dynamics']['mean']
        (0.5, 0.0)
    """
    length, size = found.num_frames, found.split_frames
    if size is None:
        raise InputError(
            f'split_frames={size}: the model splits no clip, give one with an IFDDNeck'
        )
    bad = torch.zeros(len(found.clips), 1, length)
    for i, clip in enumerate(found.clips):
        bad[i, 0, replacement_order(length, plan.seed, clip)[:count]] = 1
    curves = F.adaptive_avg_pool1d(bad, size)  # (N, 1, T)
    shares: dict[str, np.ndarray] = {}
    for suffix, name in (('', noisy_name(kind, count)), ('_before', IN_ORDER)):
        frames = torch.from_numpy(found.positions[name]).float()
        for j, group in enumerate(('dynamics', 'context')):
            shares[group + suffix] = mean_at(curves, frames[:, j])[:, 0].numpy()
    for group in ('dynamics', 'context'):
        shares[f'{group}_moved'] = shares[group] - shares[f'{group}_before']
    estimates = {
        name: cluster_bootstrap(values, groups)._asdict()
        for name, values in shares.items()
    }
    return dict(estimates, chance=count / length)
