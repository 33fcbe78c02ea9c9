import numpy as np
import pytest

from ifdd_mmaction.analysis import attribute_scores, grouped_scores


def drawn(people=40, clips=4, seed=0):
    """Return hits, labels, people and a value that every fourth person has."""
    rng = np.random.default_rng(seed)
    who = np.arange(people).repeat(clips)
    rare = who % 4 == 0
    right = rng.random(len(who)) < np.where(rare, 0.3, 0.8)
    return right, np.tile(np.arange(clips) % 2, people), who, np.where(rare, 'b', 'a')


def test_scores_are_those_of_the_clips_of_the_group():
    right, labels, who, values = drawn()
    found = attribute_scores(right, labels, who, values, 3)
    assert list(found) == ['a', 'b']
    every = grouped_scores(right, labels, who, 3).UAR.mean
    for name, score in found.items():
        own = values == name
        alone = grouped_scores(right[own], labels[own], who[own], 3).UAR
        assert (score.people, score.clips) == (len(set(who[own])), own.sum())
        assert score.UAR.mean == pytest.approx(alone.mean)
        assert score.minus_all.mean == pytest.approx(alone.mean - every)
        # The number of people of a group is drawn, too.
        width, expected = score.UAR.high - score.UAR.low, alone.high - alone.low
        assert width == pytest.approx(expected, rel=0.25)
    assert found['b'].minus_all.high < 0 < found['a'].minus_all.low


def test_a_group_of_everybody_has_no_difference():
    right, labels, who, _ = drawn()
    (score,) = attribute_scores(right, labels, who, ['x'] * len(who), 2).values()
    assert score.minus_all == (0, 0, 0)
    assert score.UAR == grouped_scores(right, labels, who, 2).UAR


def test_people_are_drawn_not_clips():
    right, labels, who, values = drawn(people=12)
    once = attribute_scores(right, labels, who, values, 2)
    often = attribute_scores(
        right.repeat(9), labels.repeat(9), who.repeat(9), values.repeat(9), 2
    )
    for name in once:
        np.testing.assert_allclose(once[name].UAR, often[name].UAR)


def test_draws_without_a_group_are_left_out():
    right, labels, who, _ = drawn(people=6)
    values = np.where(who == 0, 'one', 'others')
    score = attribute_scores(right, labels, who, values, 2)['one']
    mean = right[who == 0].reshape(2, 2).mean()
    assert score.people == 1 and list(score.UAR) == pytest.approx([mean] * 3)
