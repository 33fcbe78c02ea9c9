"""Real processes, with the environment that torchrun gives them, against one.

tests/tools/test_train_and_test.py starts the launchers.
"""

import json

import pytest
import torch

from tests.helpers.distributed_probe import GLOBAL_BATCH, probe, rank_probe
from tests.helpers.numeric import assert_close, assert_gradients_close
from tests.helpers.processes import fork, free_port

METRICS = ('WAR', 'UAR', 'F1', 'confusion_matrix')


def start_ranks(folder, world_size):
    port = free_port()
    processes = [
        fork(rank_probe, folder, rank, world_size, port) for rank in range(world_size)
    ]
    for process in processes:
        process.join(300)
    said = ''.join(path.read_text()[-3000:] for path in folder.glob('log*.txt'))
    assert [process.exitcode for process in processes] == [0] * world_size, said


@pytest.fixture(scope='module')
def one(tmp_path_factory):
    folder = tmp_path_factory.mktemp('one')
    probe(folder)
    return folder, torch.load(folder / '0.pt', weights_only=True)


@pytest.fixture(scope='module', params=[2, 3])
def several(request, tmp_path_factory):
    folder = tmp_path_factory.mktemp(f'ranks{request.param}')
    start_ranks(folder, request.param)
    ranks = range(request.param)
    return folder, [torch.load(folder / f'{i}.pt', weights_only=True) for i in ranks]


pytestmark = pytest.mark.slow


def test_gradients_are_those_of_one_process_at_the_same_global_batch(one, several):
    _, alone = one
    for rank in several[1]:
        assert [n.removeprefix('module.') for n in rank['names']] == alone['names']
        assert not rank['find_unused']
        assert len(rank['gradients']) == len(alone['gradients']) == 3
        # On three ranks the last batch has a clip twice, to be the same size on each.
        same = 3 if len(several[1]) == 2 else 2
        for found, expected in zip(
            rank['gradients'][:same], alone['gradients'][:same], strict=True
        ):
            sides = (
                dict(zip(alone['names'], gradients, strict=True))
                for gradients in (found, expected)
            )
            assert_gradients_close(*sides, alone['depth'])


def test_weights_and_their_average_are_the_same_on_every_rank(one, several):
    first, *others = several[1]
    for rank in others:
        for key in ('weights', 'ema', 'spoilt'):
            for name, value in rank[key].items():
                assert torch.equal(value, first[key][name]), (key, name)
    if len(others) == 1:  # see above
        for key in ('weights', 'ema'):
            for name, value in one[1][key].items():
                found = first[key][name]
                if value.is_floating_point():
                    assert_close(found, value, one[1]['depth'], name=name)
                else:
                    assert torch.equal(found, value), name


def test_metrics_are_exactly_those_of_one_process(one, several):
    alone, together = (
        json.loads((folder / 'metrics.json').read_text())
        for folder, _ in (one, several)
    )
    assert [c['clip'] for c in together['clips']] == [c['clip'] for c in alone['clips']]
    assert len(together['clips']) == 13
    if len(several[1]) == 2:
        assert {k: together[k] for k in METRICS} == {k: alone[k] for k in METRICS}


def test_ranks_load_different_clips_and_augment_them_as_one_process_does(one, several):
    loaded = [
        [line.split() for line in (folder / f'clips{i}.txt').read_text().splitlines()]
        for folder, count in ((one[0], 1), (several[0], len(several[1])))
        for i in range(count)
    ]
    alone, *ranks = loaded
    together = [clip for rank in ranks for clip in rank]
    extra = -len(alone) % len(ranks)
    assert len(together) == len(alone) + extra
    # Index and pixels, in the batches of one process.
    size = GLOBAL_BATCH // len(ranks)
    for i in range(2):
        batch = [clip for rank in ranks for clip in rank[i * size : (i + 1) * size]]
        expected = alone[i * GLOBAL_BATCH : (i + 1) * GLOBAL_BATCH]
        assert sorted(batch) == sorted(expected)


def test_each_rank_and_iteration_draws_its_own_numbers(several):
    draws = [draw for rank in several[1] for draw in rank['draws']]
    assert len(set(draws)) == len(draws) == 3 * len(several[1])


def test_a_loss_spoilt_on_one_rank_is_skipped_by_all(one, several):
    skipped = {rank['skipped'] for rank in several[1]}
    assert skipped == {one[1]['skipped']} and skipped <= {1, 2}
    for value in several[1][0]['spoilt'].values():
        assert torch.isfinite(value).all()
