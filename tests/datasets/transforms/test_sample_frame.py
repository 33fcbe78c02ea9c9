import numpy as np
import pytest

from ifdd_mmaction.datasets import DatasetError
from ifdd_mmaction.datasets.transforms import SampleFrame

RISING = np.linspace(0, 0.8, 9)  # shares of the largest: 0, 0.125, ..., 1


def frames(intensity=None, draws=400, total=9, label=5, **options):
    """Return the frames and the labels that are sampled."""
    np.random.seed(0)
    sample, found = SampleFrame(**options), []
    for _ in range(draws):
        clip = dict(total_frames=total, label=label, intensity=intensity)
        clip = sample(clip)
        assert len(set(clip['frame_inds'])) == 1
        assert (clip['clip_len'], clip['num_clips'], clip['frame_interval']) == (
            sample.copies, 1, 1
        )  # fmt: skip
        found.append((int(clip['frame_inds'][0]), clip['label']))
    return found


def test_any_frame_is_sampled_equally_often():
    counts = np.bincount([frame for frame, _ in frames(draws=1800)], minlength=9)
    assert counts.min() > 150 and counts.max() < 250


@pytest.mark.parametrize('options', [dict(frames='middle'), dict(test_mode=True)])
def test_the_middle_frame(options):
    assert set(frames(**options)) == {(4, 5)}


def test_intense_frames_have_the_clips_class_and_low_frames_are_neutral():
    found = frames(RISING, frames='intense', neutral=2, neutral_share=0.25)
    assert {frame for frame, label in found if label == 5} == {5, 6, 7, 8}
    assert {frame for frame, label in found if label == 2} == {0}
    assert 0.18 < np.mean([label == 2 for _, label in found]) < 0.32


def test_without_a_neutral_class_there_are_no_low_frames():
    assert {frame for frame, _ in frames(RISING, frames='intense')} == {5, 6, 7, 8}


def test_a_clip_without_expression_gives_any_of_its_frames():
    found = frames(np.zeros(9), frames='intense', neutral=2, label=2)
    assert set(found) == {(frame, 2) for frame in range(9)}


def test_testing_takes_the_most_intense_frame():
    plateau = np.array([0, 0.2, 0.7, 0.7, 0.7, 0.1])
    options = dict(frames='intense', test_mode=True)
    assert set(frames(RISING, **options)) == {(8, 5)}
    assert set(frames(plateau, total=6, **options)) == {(3, 5)}
    assert set(frames(np.zeros(9), **options)) == {(4, 5)}


def test_frames_are_numbered_from_the_first():
    clip = dict(total_frames=5, start_index=1, label=0)
    assert SampleFrame(copies=3, test_mode=True)(clip)['frame_inds'].tolist() == [3] * 3


@pytest.mark.parametrize(
    ('intensity', 'seen'), [(None, 'got none'), (RISING[:4], 'got 4 numbers')]
)
def test_a_clip_whose_intensity_is_not_known_is_named(intensity, seen):
    clip = dict(total_frames=9, video_id='anna', label=1, intensity=intensity)
    with pytest.raises(DatasetError, match=f'anna: .* of 9 frames, {seen}'):
        SampleFrame(frames='intense')(clip)


@pytest.mark.parametrize(
    'options',
    [
        dict(copies=0),
        dict(frames='apex'),
        dict(low=0.7),
        dict(high=1.1),
        dict(neutral_share=2),
    ],
)
def test_wrong_arguments_are_refused(options):
    with pytest.raises(ValueError, match=f'SampleFrame: .*{next(iter(options))}='):
        SampleFrame(**options)
