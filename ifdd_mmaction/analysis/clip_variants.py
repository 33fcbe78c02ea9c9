"""The variants of a clip that a recognizer is tested on: other orders, bad frames."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from ..datasets.frame_corruptions import CORRUPTIONS
from .clip_frames import corrupt_clip, replacement_order
from .frame_orders import ORDERS, clip_generator, frame_orders

#: Frames of another clip, as a tracker that takes another face gives them.
OTHER_CLIP = 'other_clip'
#: Kinds of bad frames.
KINDS = (*CORRUPTIONS, OTHER_CLIP)


class VariantPlan(NamedTuple):
    """What is tested.

    Attributes:
        kinds: Of :data:`KINDS`.
        counts: Numbers of frames that are replaced, each below T.
        seed: Of all random numbers.
    """

    kinds: tuple[str, ...] = KINDS
    counts: tuple[int, ...] = (1, 2, 4, 8)
    seed: int = 0

    def names(self, num_frames: int) -> list[str]:
        """Return the names of all variants of clips of T frames."""
        frozen = [frozen_name(t) for t in range(num_frames)]
        counts = [k for k in self.counts if k < num_frames]
        noisy = [noisy_name(kind, k) for kind in self.kinds for k in counts]
        return [*ORDERS, *frozen, *noisy]

    def for_groups(self, groups: Sequence[str]) -> VariantPlan:
        """Leave out frames of other groups, and say so, if there is one group."""
        if OTHER_CLIP not in self.kinds or len(set(groups)) > 1:
            return self
        print(f'{OTHER_CLIP} is left out: all clips are of one group')
        return self._replace(kinds=tuple(k for k in self.kinds if k != OTHER_CLIP))


def frozen_name(frame: int) -> str:
    """Return the name of the variant in which one frame is shown all the time."""
    return f'frame {frame}'


def noisy_name(kind: str, count: int) -> str:
    """Return the name of the variant in which some frames are replaced."""
    return f'{kind} {count}'


def clip_variants(
    plan: VariantPlan,
    names: Collection[str],
    frames: Tensor,
    clip: str,
    other: Tensor | None = None,
) -> Iterator[tuple[str, Tensor]]:
    """Yield the variants of a clip, one after the other.

    Args:
        plan: What is tested.
        names: Those of the plan's names that are wanted.
        frames: ``(M, T, C, H, W)``, M the views.
        clip: Name of the clip, from which the random numbers follow.
        other: Frames of another person's clip, of that shape too.

    Returns:
        Name and frames ``(M, T, C, H, W)`` of each.

    Example:
        >>> from ifdd_mmaction.analysis import VariantPlan, clip_variants
        >>> plan = VariantPlan(kinds=('black',), counts=(1, 2))
        >>> frames = torch.arange(1, 5, dtype=torch.uint8).view(1, 4, 1, 1, 1)
        >>> clip = frames.expand(1, 4, 3, 8, 8)
        >>> names = ['reversed', 'frame 2', 'black 2']
        >>> found = dict(clip_variants(plan, names, clip, 'anna'))
        >>> [found[name][0, :, 0, 0, 0].tolist() for name in names[:2]]
        [[4, 3, 2, 1], [3, 3, 3, 3]]
        >>> (found['black 2'][0, :, 0, 0, 0] == 0).sum()
        tensor(2)
    """
    length = frames.shape[1]
    orders = frame_orders(length, clip_generator(plan.seed, clip, 0))
    orders |= {frozen_name(t): np.full(length, t) for t in range(length)}
    for name, order in orders.items():
        if name in names:
            yield name, frames[:, torch.from_numpy(order)]
    replaced = torch.from_numpy(replacement_order(length, plan.seed, clip))
    for kind in plan.kinds:
        counts = [k for k in plan.counts if noisy_name(kind, k) in names]
        if not counts:
            continue
        bad = other if kind == OTHER_CLIP else None
        if bad is None:
            bad = corrupt_clip(frames, kind, plan.seed, clip)
        for count in counts:
            variant = frames.clone()
            variant[:, replaced[:count]] = bad[:, replaced[:count]]
            yield noisy_name(kind, count), variant


def other_clip(index: int, clip: str, groups: Sequence[str], seed: int) -> int:
    """Return the index of a clip of another group, drawn at random.

    Args:
        index: Of the clip.
        clip: Its name.
        groups: Group of each clip, ``N``; at least two differ.
        seed: Of the report.

    Example:
        >>> from ifdd_mmaction.analysis import other_clip
        >>> other_clip(0, 'smile', ['anna', 'anna', 'ben'], seed=0)
        2
    """
    others = np.flatnonzero(np.asarray(groups) != groups[index])
    return int(clip_generator(seed, clip, 3).choice(others))
