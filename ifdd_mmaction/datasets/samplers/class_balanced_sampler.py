"""Draw every class as often as any other."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from mmaction.registry import DATA_SAMPLERS
from mmengine.dist import get_dist_info, sync_random_seed
from torch.utils.data import Sampler

from ..class_counts import clip_labels


@DATA_SAMPLERS.register_module()
class ClassBalancedSampler(Sampler):
    """Clips in random order, each class equally often, as many as the dataset has.

    Within a class every clip is drawn before one is drawn again: in an epoch a clip of
    a rare class is drawn several times, and some clips of a frequent class are not
    drawn; they are drawn in other epochs. All ranks get the same number of clips of
    each class, up to a difference of one, and no draw goes to two ranks.

    MMEngine's ``ClassBalancedDataset`` balances less: it repeats a clip
    ``ceil(sqrt(t / f))`` times, and rounding up doubles every class just below the
    threshold ``t``.

    Args:
        dataset: The training set; see :func:`clip_labels`.
        power: How far to balance. 1 draws all classes equally often, 0.5 in
            proportion to the square root of their counts, 0 as often as they are.
        seed: The same on all ranks; by default they agree on a random one.

    Raises:
        DatasetError: If the dataset is empty or a clip has not one label.

    Example:
        >>> from ifdd_mmaction.datasets.samplers import ClassBalancedSampler
        >>> class Labels(list):  # in place of a dataset
        ...     def get_data_info(self, i):
        ...         return dict(label=self[i])
        >>> labels = Labels([0, 0, 0, 0, 0, 1])
        >>> sorted(labels[i] for i in ClassBalancedSampler(labels, seed=0))
        [0, 0, 0, 1, 1, 1]
    """

    def __init__(self, dataset: Any, power: float = 1.0, seed: int | None = None):
        self.rank, self.world_size = get_dist_info()
        self.seed = sync_random_seed() if seed is None else seed
        self.epoch = 0
        labels = clip_labels(dataset)
        # Classes without a clip have nothing to draw.
        self.members = [np.flatnonzero(labels == k) for k in np.unique(labels)]
        self.num_samples = -(-len(labels) // self.world_size)
        self.quotas = _quotas(
            np.array([len(m) for m in self.members]) ** (1.0 - power),
            self.num_samples * self.world_size,
        )

    def __iter__(self) -> Iterator[int]:
        """Yield the clips of this rank."""
        shared = np.random.default_rng((self.seed, self.epoch))
        draws = [
            _draw(members, quota, shared)
            for members, quota in zip(self.members, self.quotas, strict=True)
        ]
        # Dealing the classes out one after the other gives every rank its share of
        # each.
        mine = np.concatenate(draws)[self.rank :: self.world_size]
        own = np.random.default_rng((self.seed, self.epoch, self.rank))
        return iter(own.permutation(mine).tolist())

    def __len__(self) -> int:
        """Return the number of clips of this rank."""
        return self.num_samples

    def set_epoch(self, epoch: int) -> None:
        """Give the epoch, which together with the seed decides the draw."""
        self.epoch = epoch


def _quotas(shares: np.ndarray, total: int) -> np.ndarray:
    """Divide a total in proportion to shares, by largest remainder."""
    exact = total * shares / shares.sum()
    quotas = np.floor(exact).astype(np.int64)
    most_left = np.argsort(quotas - exact, kind='stable')
    quotas[most_left[: total - quotas.sum()]] += 1
    return quotas


def _draw(members: np.ndarray, count: int, rng: np.random.Generator) -> np.ndarray:
    rounds = -(-int(count) // len(members))
    return np.concatenate([rng.permutation(members) for _ in range(rounds)])[:count]
