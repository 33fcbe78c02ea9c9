import numpy as np
import pytest

from ifdd_mmaction.analysis import cluster_bootstrap


def test_the_interval_is_the_one_of_the_normal_distribution():
    values = np.random.default_rng(0).normal(3, 2, 400)
    found = cluster_bootstrap(values, range(400))
    width = 1.96 * values.std() / 20
    assert found.mean == pytest.approx(values.mean())
    assert found.low == pytest.approx(values.mean() - width, abs=0.15 * width)
    assert found.high == pytest.approx(values.mean() + width, abs=0.15 * width)
    assert found == cluster_bootstrap(values, range(400))


def test_ten_clips_of_a_subject_count_as_one():
    values = np.random.default_rng(0).normal(size=30)
    once = cluster_bootstrap(values, range(30))
    often = cluster_bootstrap(values.repeat(10), np.arange(30).repeat(10))
    np.testing.assert_allclose(once, often)
    independent = cluster_bootstrap(values.repeat(10), range(300))
    assert independent.high - independent.low < 0.5 * (often.high - often.low)


def test_groups_of_different_sizes_give_the_mean_of_all_values():
    found = cluster_bootstrap(np.array([1.0, 1, 1, 5]), ['a', 'a', 'a', 'b'])
    assert found == (2.0, 1.0, 5.0)
