import numpy as np
import pytest

from ifdd_mmaction.analysis import (
    ORDERS,
    VariantPlan,
    VariantScores,
    bad_frame_shares,
    compare_scores,
    replacement_order,
    temporal_reliance,
)
from ifdd_mmaction.errors import InputError

CLASSES = ['joy', 'anger', 'fear']
PLAN = VariantPlan(kinds=('black',), counts=(1, 2, 8))
LABELS = [0, 0, 1, 1]
GROUPS = ['anna', 'ben', 'anna', 'ben']


def sure(predictions):
    """Scores of a model that is sure of its predictions."""
    return np.eye(3)[predictions]


def scores(**changes):
    """Right in order; the changes are predictions by name of the variant."""
    found = {name: sure(LABELS) for name in PLAN.names(4)}
    found.update({n.replace('_', ' '): sure(p) for n, p in changes.items()})
    return found


def found(scores, errors=('',) * 4, **more):
    facts = dict(positions={}, split_frames=None) | more
    return VariantScores(4, list('abcd'), scores, np.zeros(4, bool), errors, **facts)


def report(*args, **kwargs):
    return temporal_reliance(found(*args, **kwargs), PLAN, LABELS, GROUPS, CLASSES)


def test_differences_are_to_in_order():
    made = report(scores(reversed=[2, 2, 1, 0], black_2=[0, 2, 1, 1]))
    rows = made['orders']
    assert list(rows) == [
        'in order', 'shuffled', 'reversed', 'first frame', 'middle frame', 'last frame',
        'best frame (upper bound)', 'half the time', '1/4 earlier', '1/8 earlier',
        '1/8 later', '1/4 later',
    ]  # fmt: skip
    assert set(ORDERS) < set(rows)
    one = dict(mean=1, low=1, high=1)
    assert rows['in order']['UAR'] == one and rows['in order']['other_prediction'] == 0
    found = rows['reversed']
    assert found['WAR']['mean'] == 0.25 and found['UAR']['mean'] == 0.25
    assert found['other_prediction'] == 0.75
    minus = found['minus_in_order']
    assert minus['UAR'] == dict(mean=-0.75, low=-1.0, high=-0.5)
    assert minus['recall']['joy'] == dict(mean=-1, low=-1, high=-1)
    assert minus['recall']['fear'] is None and found['recall']['fear'] is None
    assert list(made['noisy']['black']) == [1, 2]  # not 8 of 4 frames
    assert made['noisy']['black'][2]['WAR']['mean'] == 0.75
    assert made['correct']['reversed'] == [0, 0, 1, 0]


def test_frozen_frames_are_first_middle_and_last():
    right = {f'frame_{t}': [0, 0, 1, 2] for t in (0, 2, 3)}
    rows = report(scores(**right, frame_1=[2] * 4))['orders']
    for name in ('first', 'middle', 'last'):
        assert rows[f'{name} frame']['WAR']['mean'] == 0.75


def test_the_best_frame_is_that_of_the_true_class():
    given = scores(**{f'frame_{t}': [2] * 4 for t in range(4)})
    given['frame 1'][0] = [0.5, 0.2, 0.3]  # one frame is right
    given['frame 3'][1] = [0.4, 0.0, 0.6]  # the best is still wrong
    given['frame 0'][2] = [0.0, 0.6, 0.4]
    best = report(given)['orders']['best frame (upper bound)']
    assert best['WAR']['mean'] == 0.5
    assert best['recall']['joy']['mean'] == best['recall']['anger']['mean'] == 0.5


def test_a_clip_that_cannot_be_read_is_wrong_in_every_variant():
    rows = report(scores(), errors=['', 'damaged', '', ''])['orders']
    assert {row['WAR']['mean'] for row in rows.values()} == {0.75}
    assert rows['reversed']['minus_in_order']['WAR']['mean'] == 0


def test_models_are_compared_clip_by_clip():
    one = report(scores())['correct']
    other = report(scores(reversed=[2, 2, 1, 1]))['correct']
    del other['shuffled']
    made = compare_scores(one, other, LABELS, GROUPS, CLASSES)
    assert 'shuffled' not in made and made['in order']['UAR']['mean'] == 0
    assert made['reversed']['UAR'] == dict(mean=0.5, low=0.5, high=0.5)


def split_report(dynamics, before, size=4):
    """Shares where all clips have frame 0 bad first, and clip a one more."""
    positions = {
        name: np.tile(np.array([frames, np.zeros(len(frames))], float), (4, 1, 1))
        for name, frames in (('in order', before), ('black 1', dynamics))
    }
    made = found(scores(), positions=positions, split_frames=size)
    return bad_frame_shares(made, PLAN, 'black', 1, GROUPS)


def bad_frames():
    return [int(replacement_order(4, 0, clip)[0]) for clip in 'abcd']


def test_the_share_of_bad_frames_that_are_read():
    bad = bad_frames()
    made = split_report(dynamics=[1, 2], before=[0, 1, 2, 3])
    expected = np.mean([np.mean([b == 1, b == 2]) for b in bad])
    assert made['dynamics']['mean'] == pytest.approx(expected)
    # All frames once are the bad ones at the rate of chance, in every clip.
    quarter = dict(mean=0.25, low=0.25, high=0.25)
    assert made['dynamics_before'] == quarter and made['chance'] == 0.25
    assert made['dynamics_moved']['mean'] == pytest.approx(expected - 0.25)
    assert made['context']['mean'] == np.mean([b == 0 for b in bad])
    assert made['context_moved'] == dict(mean=0, low=0, high=0)


def test_a_position_between_frames_reads_both():
    made = split_report(dynamics=[0.25], before=[0.25])
    expected = np.mean([{0: 0.75, 1: 0.25}.get(b, 0) for b in bad_frames()])
    assert made['dynamics']['mean'] == pytest.approx(expected)


def test_a_frame_of_the_feature_stands_for_two_of_the_clip():
    made = split_report(dynamics=[0], before=[1], size=2)
    expected = np.mean([b < 2 for b in bad_frames()]) / 2
    assert made['dynamics']['mean'] == pytest.approx(expected)
    assert made['dynamics_before']['mean'] == pytest.approx(0.5 - expected)


def test_a_model_without_split_reads_no_frames():
    assert report(scores())['indexes'] is None
    with pytest.raises(InputError, match='splits no clip'):
        bad_frame_shares(found(scores()), PLAN, 'black', 1, GROUPS)
