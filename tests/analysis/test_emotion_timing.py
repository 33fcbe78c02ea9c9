import torch

from ifdd_mmaction.analysis import emotion_curves, group_timing, mean_at
from tests.numeric import assert_close

ONSET_APEX_OFFSET = torch.tensor([[0, 0, 0.5, 1, 1, 1, 0.5, 0]])


def test_the_curves_are_means_over_the_frames_of_a_feature():
    curves = emotion_curves(ONSET_APEX_OFFSET, 4)
    frames = ONSET_APEX_OFFSET.shape[1]
    assert_close(curves[0, 0], torch.tensor([0, 0.75, 1, 0.25]), frames)
    # Central differences 0 .25 .5 .25 0 .25 .5 .5, two by two.
    change = torch.tensor([0.125, 0.375, 0.125, 0.5])
    assert_close(curves[0, 1], change, frames)
    # Falling counts as rising does.
    back = emotion_curves(ONSET_APEX_OFFSET.flip(1), 4)
    assert_close(back, curves.flip(2), frames)


def test_curves_are_read_between_frames():
    curves = torch.tensor([[[0.0, 1, 3, 0]]])
    found = mean_at(curves, torch.tensor([[0.5, 2.0], [1.5, 3.0]])[:1])
    assert_close(found, torch.tensor([[1.75]]), 2)


def two_clips():
    """An early and a late emotion, four frames each."""
    return torch.tensor([[1.0, 1, 0, 0], [0, 0, 1, 1]])[:, None].expand(-1, 2, -1)


def test_a_split_that_follows_the_emotion_beats_every_reference():
    on, off = torch.tensor([[0.0, 1], [2, 3]]), torch.tensor([[2.0, 3], [0, 1]])
    found = group_timing(two_clips(), frames_s=off, frames_d=on, subjects=['a', 'b'])
    means = {name: curves['intensity'].mean for name, curves in found.groups.items()}
    assert means == {
        'dynamics': 1.0,
        'context': 0.0,
        'interval dynamics': 0.5,
        'interval context': 0.5,
        'fixed dynamics': 0.5,  # frames 1 and 2 of both
        'every frame': 0.5,
        'best frames': 1.0,
    }
    gains = {name: curves['change'] for name, curves in found.differences.items()}
    assert gains == {
        'dynamics - interval dynamics': (0.5, 0.5, 0.5),
        'dynamics - context': (1.0, 1.0, 1.0),
        'dynamics - fixed dynamics': (0.5, 0.5, 0.5),
    }
    assert found.frames['dynamics'] == dict(mean=[1.0, 2.0], std=[1.0, 1.0])


def test_a_split_that_is_the_same_in_every_clip_owes_nothing_to_content():
    curves = torch.rand(6, 2, 5)
    fixed = torch.tensor([[0.5, 2.0, 4.0]]).expand(6, -1)
    found = group_timing(curves, fixed, fixed, list('aabbcc'))
    gain = found.differences['dynamics - fixed dynamics']
    # A difference of means of 6 clips at 3 frames, from 0 to 1 each.
    zero = torch.tensor(0.0)
    assert_close(gain['intensity'].mean, zero, 18, scale=1.0)
    assert found.frames['context']['std'] == [0, 0, 0]


def test_an_odd_clip_repeats_its_last_frame():
    curves = torch.tensor([[[0.0, 0, 1]]]).expand(1, 2, 3)
    frames = torch.zeros(1, 2)
    found = group_timing(curves, frames, frames, ['a']).groups
    assert found['interval dynamics']['intensity'].mean == 0.5  # frames 1 and 2
    assert found['interval context']['intensity'].mean == 0.5  # frames 0 and 2
    assert found['best frames']['intensity'].mean == 0.5
