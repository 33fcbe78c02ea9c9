import pickle
import random

import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader, SequentialSampler

from ifdd_mmaction.datasets.samplers import ResumableBatchSampler
from ifdd_mmaction.randomness import seed_generators


class Draws:
    """A dataset that draws from every generator that a transform may use."""

    def __len__(self):
        return 7

    def __getitem__(self, index):
        return index, random.random(), np.random.rand(), torch.rand(1).item()


def batches(workers=0, seed=1, epoch=0, first=0, rank=0, world_size=1, batch_size=3):
    sampler = ResumableBatchSampler(SequentialSampler(Draws()), batch_size)
    sampler.rank, sampler.world_size = rank, world_size
    sampler.begin_epoch(seed, epoch, first)
    return list(
        DataLoader(Draws(), batch_sampler=sampler, num_workers=workers, collate_fn=list)
    )


def test_the_number_of_workers_changes_nothing():
    assert batches(0) == batches(1) == batches(2)


def test_an_epoch_begins_anywhere_with_the_same_numbers():
    assert batches(first=1) == batches()[1:]
    assert batches(first=3) == []
    assert [len(batch) for batch in batches()] == [3, 3, 1]


def test_every_place_epoch_and_seed_draws_its_own_numbers():
    clips = [clip for batch in batches() for clip in batch]
    others = [batches(epoch=1), batches(seed=2)]
    clips += [clip for other in others for batch in other for clip in batch]
    for generator in (1, 2, 3):
        assert len({clip[generator] for clip in clips}) == len(clips) == 21


def test_ranks_draw_what_one_process_would():
    one = [clip[1:] for batch in batches(batch_size=2) for clip in batch]
    ranks = [batches(batch_size=1, rank=rank, world_size=2) for rank in (0, 1)]
    # Rank r has the places r, r + 2, ...: with batches of 1, place 2 i + r.
    drawn = [ranks[i % 2][i // 2][0][1:] for i in range(7)]
    assert drawn == one


def test_sending_a_batch_to_a_worker_seeds_nobody():
    sampler = ResumableBatchSampler(SequentialSampler(Draws()), 3)
    batch = next(iter(sampler))
    torch.manual_seed(0)
    expected = torch.rand(1)
    torch.manual_seed(0)
    copy = pickle.loads(pickle.dumps(batch))
    assert torch.equal(torch.rand(1), expected)
    assert list(copy) == [0, 1, 2] and copy.places == batch.places


@pytest.mark.parametrize('devices', [True, False])
def test_generators_are_seeded_by_the_whole_key(devices):
    seen = set()
    for key in ((1,), (1, 2), (2, 1), (1, 2, 3), (1, 2, 3, 4, 5), (2**31, 2, 3)):
        seed_generators(*key, devices=devices)
        seen.add((random.random(), np.random.rand(), torch.rand(1).item()))
    assert len(seen) == 6
