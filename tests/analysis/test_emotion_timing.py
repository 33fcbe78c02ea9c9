"""Intensity of the emotion at the sampling positions of the groups."""

import numpy as np
import pytest
import torch

from ifdd_mmaction.analysis import (
    cluster_bootstrap,
    emotion_curves,
    group_timing,
    mean_at,
    read_timed_clips,
)
from ifdd_mmaction.datasets import DatasetError
from tests.helpers.numeric import assert_close


def test_the_interval_equals_that_of_the_normal_distribution():
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


ENVELOPE = np.array([[0, 0.5, 1], [1, 0.5, 0]], dtype=np.float16)


def write(root, rows='id,label,subject\n7,1,12\n4,7,3\n', envelope=ENVELOPE):
    (root / 'clips.csv').write_text(rows)
    np.save(root / 'envelope.npy', envelope)
    return root


@pytest.mark.parametrize('name', ['id', 'video_name'])
def test_rows_of_both_files_belong_together(tmp_path, name):
    clips = read_timed_clips(write(tmp_path, f'{name},label,subject\n7,1,12\n4,7,3\n'))
    assert list(clips) == ['7', '4']
    assert clips['7'][:2] == (0, '12') and clips['4'][:2] == (6, '3')
    np.testing.assert_array_equal(clips['4'].envelope, [1, 0.5, 0])


@pytest.mark.parametrize('missing', ['clips.csv', 'envelope.npy'])
def test_a_dataset_of_unknown_timing_raises_an_error(tmp_path, missing):
    (write(tmp_path) / missing).unlink()
    with pytest.raises(DatasetError, match=rf'{missing} does not exist: .* rendered'):
        read_timed_clips(tmp_path)


@pytest.mark.parametrize('change, message', [
    (dict(envelope=ENVELOPE[:1]), r'has shape \(1, 3\) for the 2 clips'),
    (dict(envelope=ENVELOPE[0]), r'has shape \(3,\)'),
    (dict(envelope=np.array([[0, np.nan]] * 2)), 'finite'),
    (dict(envelope=np.array([['a'], ['b']])), 'not an array of numbers'),
    (dict(rows='id,label\n7,1\n4,7\n'), r'clips\.csv:2: .* must have a name'),
    (dict(rows='id,label,subject\n7,1,1\n4,x,3\n'), r'clips\.csv:3: '),
    (dict(rows='id,label,subject\n7,1,1\n7,2,1\n'), 'clip 7 is listed twice'),
])  # fmt: skip
def test_malformed_files_are_named(tmp_path, change, message):
    with pytest.raises(DatasetError, match=message):
        read_timed_clips(write(tmp_path, **change))


ONSET_APEX_OFFSET = torch.tensor([[0, 0, 0.5, 1, 1, 1, 0.5, 0]])


def test_the_curves_are_means_over_the_frames_of_a_feature():
    curves = emotion_curves(ONSET_APEX_OFFSET, 4)
    frames = ONSET_APEX_OFFSET.shape[1]
    assert_close(curves[0, 0], torch.tensor([0, 0.75, 1, 0.25]), frames)
    # Central differences 0 .25 .5 .25 0 .25 .5 .5, two by two.
    change = torch.tensor([0.125, 0.375, 0.125, 0.5])
    assert_close(curves[0, 1], change, frames)
    # Falling and rising count the same.
    back = emotion_curves(ONSET_APEX_OFFSET.flip(1), 4)
    assert_close(back, curves.flip(2), frames)


def test_curves_are_interpolated_between_frames():
    curves = torch.tensor([[[0.0, 1, 3, 0]]])
    found = mean_at(curves, torch.tensor([[0.5, 2.0], [1.5, 3.0]])[:1])
    assert_close(found, torch.tensor([[1.75]]), 2)


def two_clips():
    """An early and a late emotion, four frames each."""
    return torch.tensor([[1.0, 1, 0, 0], [0, 0, 1, 1]])[:, None].expand(-1, 2, -1)


def test_a_split_that_follows_the_emotion_exceeds_every_reference():
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


def test_a_split_that_is_the_same_in_every_clip_does_not_depend_on_content():
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
