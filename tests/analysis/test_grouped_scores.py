import numpy as np
import pytest

from ifdd_mmaction.analysis import cluster_bootstrap, grouped_scores
from ifdd_mmaction.evaluation import dfer_scores


def drawn(clips=200, classes=4, seed=0):
    rng = np.random.default_rng(seed)
    labels = rng.choice(classes - 1, clips, p=[0.6, 0.3, 0.1])  # the last has no clip
    predictions = np.where(rng.random(clips) < 0.7, labels, rng.integers(3, size=clips))
    return labels, predictions, rng.integers(20, size=clips)


def test_the_scores_are_those_of_the_metric():
    labels, predictions, groups = drawn()
    found = grouped_scores(predictions == labels, labels, groups, 4)
    confusion = np.zeros((4, 4), int)
    np.add.at(confusion, (labels, predictions), 1)
    expected = dfer_scores(confusion)
    assert found.WAR.mean == pytest.approx(expected['WAR'])
    assert found.UAR.mean == pytest.approx(expected['UAR'])
    recall = [estimate and estimate.mean for estimate in found.recall]
    assert recall[:3] == pytest.approx(expected['recall'][:3]) and recall[3] is None


def test_the_interval_of_war_is_that_of_the_mean_over_groups():
    labels, predictions, groups = drawn()
    right = predictions == labels
    found = grouped_scores(right, labels, groups, 4, draws=20000).WAR
    expected = cluster_bootstrap(right, groups, draws=20000)
    assert found.mean == pytest.approx(expected.mean)
    assert found.low == pytest.approx(expected.low, abs=0.005)
    assert found.high == pytest.approx(expected.high, abs=0.005)


def test_the_interval_of_a_recall_equals_that_of_the_normal_distribution():
    rng = np.random.default_rng(0)
    labels = np.arange(800) % 2
    right = rng.random(800) < 0.5
    found = grouped_scores(right, labels, range(800), 2).recall[1]
    rate = right[labels == 1].mean()
    width = 1.96 * np.sqrt(rate * (1 - rate) / 400)
    assert found.mean == pytest.approx(rate)
    assert found.high - found.low == pytest.approx(2 * width, rel=0.1)


def test_copies_of_a_clip_in_a_group_narrow_nothing():
    labels, predictions, _ = drawn(clips=40)
    right = predictions == labels
    once = grouped_scores(right, labels, range(40), 4)
    often = grouped_scores(
        right.repeat(9), labels.repeat(9), np.arange(40).repeat(9), 4
    )
    np.testing.assert_allclose(once.UAR, often.UAR)
    alone = grouped_scores(right.repeat(9), labels.repeat(9), range(360), 4)
    assert alone.UAR.high - alone.UAR.low < 0.6 * (once.UAR.high - once.UAR.low)


def test_differences_are_paired():
    labels, predictions, groups = drawn()
    right = predictions == labels
    same = grouped_scores(right, labels, groups, 4, baseline=right)
    assert same.UAR == (0, 0, 0) and same.WAR == (0, 0, 0)
    # In every group one clip of each class is lost: the same difference in each draw.
    labels, groups = np.tile([0, 1, 2, 0, 1, 2], 10), np.arange(10).repeat(6)
    worse = np.tile([True, True, True, False, False, False], 10)
    found = grouped_scores(worse, labels, groups, 3, baseline=np.ones(60, bool))
    np.testing.assert_allclose(found.UAR, [-0.5] * 3)
    np.testing.assert_allclose(found.recall[2], [-0.5] * 3)


def test_a_class_of_one_group_is_missing_in_some_draws():
    labels, groups = np.array([0, 0, 0, 1]), list('aabc')
    found = grouped_scores(np.array([1, 0, 1, 1]), labels, groups, 2)
    assert found.recall[1] == (1, 1, 1) and np.isfinite(found.UAR).all()
