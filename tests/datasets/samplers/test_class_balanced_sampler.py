import json
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import torch.distributed as dist
from mmaction.registry import DATA_SAMPLERS
from mmengine.registry import init_default_scope

from tests.datasets.test_class_counts import Plain
from tests.helpers.processes import fork

#: An imbalanced set: class 1 has no clip.
LABELS = [0] * 60 + [2] * 25 + [3] * 5
NAMES = np.array(LABELS)


def build(monkeypatch=None, rank=0, ranks=1, **kwargs):
    if monkeypatch:
        module = 'ifdd_mmaction.datasets.samplers.class_balanced_sampler'
        monkeypatch.setattr(f'{module}.get_dist_info', lambda: (rank, ranks))
    cfg = dict(type='ClassBalancedSampler', dataset=Plain(LABELS), seed=0, **kwargs)
    return DATA_SAMPLERS.build(cfg)


@pytest.mark.parametrize('power, expected', [
    (1.0, {0: 30, 2: 30, 3: 30}),
    # sqrt(60) : sqrt(25) : sqrt(5) of 90
    (0.5, {0: 46, 2: 30, 3: 14}),
    (0.0, {0: 60, 2: 25, 3: 5}),
])  # fmt: skip
def test_classes_come_in_the_chosen_proportion(power, expected):
    sampler = build(power=power)
    drawn = list(sampler)
    assert len(drawn) == len(sampler) == len(LABELS)
    counts = Counter(NAMES[drawn].tolist())
    assert counts == pytest.approx(expected, abs=1)


def test_within_a_class_all_clips_come_before_one_comes_again():
    times = Counter(build())
    assert [times[i] for i in range(85, 90)] == [6] * 5
    assert {times[i] for i in range(60, 85)} == {1, 2}
    assert sum(times[i] for i in range(60)) == 30
    assert max(times[i] for i in range(60)) == 1


def test_every_epoch_draws_anew_and_the_same_seed_the_same():
    sampler = build()
    first = list(sampler)
    assert first == list(sampler) == list(build())
    sampler.set_epoch(1)
    second = list(sampler)
    assert first != second
    # Frequent clips left out of one epoch come in others.
    assert {i for i in first if i < 60} != {i for i in second if i < 60}


@pytest.mark.parametrize('ranks', [2, 4])
def test_ranks_share_each_class_evenly(monkeypatch, ranks):
    alone = Counter(build())
    shards = [list(build(monkeypatch, rank, ranks)) for rank in range(ranks)]
    assert len({len(shard) for shard in shards}) == 1
    counts = [Counter(NAMES[shard].tolist()) for shard in shards]
    for name in (0, 2, 3):
        shares = [count[name] for count in counts]
        assert max(shares) - min(shares) <= 1
    if len(LABELS) % ranks == 0:
        # No draw goes to two ranks: together they are what one process draws.
        assert sum(map(Counter, shards), Counter()) == alone


def draw(store, rank):
    """Write the seed and the draws of one rank of two."""
    init_default_scope('mmaction')
    dist.init_process_group(
        'gloo', init_method=f'file://{store}', rank=rank, world_size=2
    )
    # No seed: the ranks have to agree on one.
    config = dict(type='ClassBalancedSampler', dataset=Plain(LABELS))
    sampler = DATA_SAMPLERS.build(config)
    sampler.set_epoch(3)
    Path(f'{store}{rank}.json').write_text(
        json.dumps([int(sampler.seed), *map(int, sampler)])
    )
    dist.destroy_process_group()


@pytest.mark.slow
def test_two_processes_agree_on_a_seed_and_draw_disjoint_shards(tmp_path):
    processes = [fork(draw, tmp_path / 'store', rank) for rank in range(2)]
    for process in processes:
        process.join(120)
    assert [process.exitcode for process in processes] == [0, 0]
    (seed, *one), (other, *two) = (
        json.loads(Path(f'{tmp_path}/store{rank}.json').read_text())
        for rank in range(2)
    )
    assert seed == other
    alone = build()
    alone.seed = seed
    alone.set_epoch(3)
    assert Counter(one) + Counter(two) == Counter(alone)
    assert Counter(NAMES[one].tolist()) == {0: 15, 2: 15, 3: 15}
