"""Batches that can begin anywhere in an epoch, and that draw the same from there."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import Any

from mmaction.registry import DATA_SAMPLERS
from mmengine.dist import get_dist_info
from torch.utils.data import BatchSampler

from ...randomness import seed_generators


class SeededBatch(list):
    """Indexes of clips that seed the random generators as they are read.

    A data loader reads them in the process that loads the clips, one by one, each
    before its clip is loaded: whatever a transform draws from Python's, NumPy's or
    PyTorch's generator then belongs to the clip's place in the epoch. No dataset,
    transform or worker need know.

    Args:
        indexes: Indexes into the dataset.
        key: Seed and epoch.
        places: Place in the epoch of each clip, over all ranks.
    """

    def __init__(self, indexes: list[int], key: tuple[int, int], places: range) -> None:
        super().__init__(indexes)
        self.key = key
        self.places = places

    def __iter__(self) -> Iterator[int]:
        for index, place in zip(super().__iter__(), self.places, strict=True):
            seed_generators(*self.key, place, devices=False)
            yield index

    def __reduce__(self) -> tuple:
        # A list is pickled by reading it, which would seed the sender.
        return type(self), (self[:], self.key, self.places)


@DATA_SAMPLERS.register_module()
class ResumableBatchSampler(BatchSampler):
    """PyTorch's batches, with a beginning and with random numbers of their own.

    :class:`ResumableTrainLoop` makes and steers it. The clips that a sampler deals to
    the ranks are numbered over all ranks, so that a clip is augmented alike however
    many ranks and workers there are.

    Args:
        sampler: See ``torch.utils.data.BatchSampler``.
        batch_size: Clips of a batch on this rank.
        drop_last: Whether to leave out a last batch that is not full.

    Example:
        >>> from ifdd_mmaction.datasets.samplers import ResumableBatchSampler
        >>> batches = ResumableBatchSampler(range(7), batch_size=2)
        >>> list(batches)
        [[0, 1], [2, 3], [4, 5], [6]]
        >>> batches.begin_epoch(seed=0, epoch=0, first=2)
        >>> list(batches)
        [[4, 5], [6]]
    """

    def __init__(self, sampler: Any, batch_size: int, drop_last: bool = False) -> None:
        super().__init__(sampler, batch_size, drop_last)
        self.rank, self.world_size = get_dist_info()
        self.begin_epoch(seed=0, epoch=0)

    def begin_epoch(self, seed: int, epoch: int, first: int = 0) -> None:
        """Say what the next pass over the batches is.

        Args:
            seed: The same on all ranks.
            epoch: From 0.
            first: Batch to begin with; no clip of those before it is loaded.
        """
        self.key = (seed, epoch)
        self.first = first

    def __iter__(self) -> Iterator[list[int]]:
        """Yield the batches from the first wanted one."""
        batches = enumerate(super().__iter__())
        for number, batch in islice(batches, self.first, None):
            start = number * self.batch_size * self.world_size + self.rank
            stop = start + len(batch) * self.world_size
            yield SeededBatch(batch, self.key, range(start, stop, self.world_size))
