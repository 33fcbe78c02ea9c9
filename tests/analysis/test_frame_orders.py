import numpy as np
import pytest

from ifdd_mmaction.analysis import ORDERS, clip_generator, frame_orders


def orders(frames, seed=0):
    found = frame_orders(frames, np.random.default_rng(seed))
    return {name: order.tolist() for name, order in found.items()}


def test_the_orders_of_eight_frames():
    found = orders(8)
    assert tuple(found) == ORDERS
    assert sorted(found.pop('shuffled')) == list(range(8))
    assert found == {
        'in order': [0, 1, 2, 3, 4, 5, 6, 7],
        'reversed': [7, 6, 5, 4, 3, 2, 1, 0],
        'half the time': [0, 2, 4, 6, 6, 6, 6, 6],
        '1/4 earlier': [2, 3, 4, 5, 6, 7, 7, 7],
        '1/8 earlier': [1, 2, 3, 4, 5, 6, 7, 7],
        '1/8 later': [0, 0, 1, 2, 3, 4, 5, 6],
        '1/4 later': [0, 0, 0, 1, 2, 3, 4, 5],
    }


@pytest.mark.parametrize('frames', [2, 3, 5, 16, 33])
def test_every_order_reads_frames_of_the_clip(frames):
    for name, order in orders(frames).items():
        assert len(order) == frames and set(order) <= set(range(frames)), name
        assert name == 'in order' or order != list(range(frames)), name


def test_shuffled_is_never_in_order():
    drawn = [orders(2, seed)['shuffled'] for seed in range(20)]
    assert drawn == [[1, 0]] * 20


def test_half_the_time_of_an_odd_clip_ends_with_its_last_frame():
    assert orders(5)['half the time'] == [0, 2, 4, 4, 4]


def test_one_frame_has_no_order():
    with pytest.raises(ValueError, match='num_frames=1'):
        orders(1)


def test_random_numbers_depend_on_seed_clip_and_purpose_alone():
    def draw(*key):
        return clip_generator(*key).integers(1 << 62)

    keys = [(0, 'a'), (1, 'a'), (0, 'b'), (0, 'a', 0), (0, 'a', 1), (0, 'a', 0, 0)]
    assert len({draw(*key) for key in keys}) == len(keys)
    assert [draw(*key) for key in keys[::-1]] == [draw(*key) for key in keys][::-1]
