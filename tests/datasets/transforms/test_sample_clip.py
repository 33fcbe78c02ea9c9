import numpy as np
import pytest

from ifdd_mmaction.datasets.transforms import SampleClip
from tests.helpers.golden import load_json

GOLDEN = load_json('sampling')
#: How the authors sample each dataset.
RULES = dict(
    DFEW=dict(clip_len=16, short_clip='pad_last'),
    FERV39k=dict(clip_len=16, short_clip='spread_first'),
    MAFW=dict(clip_len=32, frame_interval=2, short_clip='spread_last'),
)


def sample(total, **options):
    return SampleClip(**options).transform(dict(total_frames=total))


def rows(name):
    return {int(total): row for total, row in GOLDEN[name].items()}


@pytest.mark.parametrize('name', RULES)
def test_consecutive_windows_are_the_authors(name):
    options = dict(RULES[name], windows='consecutive', test_mode=True)
    found = {}
    for total in rows(name):
        results = sample(total, **options)
        shape = (results['num_clips'], results['clip_len'])
        found[total] = results['frame_inds'].reshape(shape).tolist()
    assert found == {total: row['test_multi'] for total, row in rows(name).items()}
    counts = {len(windows) for windows in found.values()}
    assert len(found) == 83 and min(found) == 1 and len(counts) >= 3


@pytest.mark.parametrize('name', RULES)
def test_training_windows_are_the_authors(name, monkeypatch):
    for total, row in rows(name).items():
        if name == 'DFEW' and total < row['window']:
            # Theirs is as short as the video and ends in uninitialized memory.
            expected = row['test_multi'][0]
        else:
            expected = row['train_seed0']
        asked = []

        def randint(high, size, start=expected[0], asked=asked):
            asked.append(high)
            return np.full(size, start)

        monkeypatch.setattr(np.random, 'randint', randint)
        assert sample(total, **RULES[name])['frame_inds'].tolist() == expected, total
        first, last = row['train_start_range']
        assert first == 0 and asked == [last + 1], total


@pytest.mark.parametrize('name', RULES)
def test_the_single_window_of_testing_is_the_middle_one(name):
    options = dict(RULES[name], test_mode=True)
    for total, row in rows(name).items():
        found = sample(total, **options)['frame_inds']
        if total <= row['window']:  # where the authors have no choice either
            assert found.tolist() == row['test_multi'][0], total
        else:
            assert found[0] == row['train_start_range'][1] // 2, total
            assert (np.diff(found) == options.get('frame_interval', 1)).all()


@pytest.mark.parametrize('total, interval', [(16, 1), (40, 1), (70, 2), (5, 3)])
def test_training_windows_start_anywhere_and_stay_inside(total, interval):
    np.random.seed(0)
    window = 15 * interval + 1
    starts = set()
    for _ in range(300):
        results = sample(total, clip_len=16, frame_interval=interval)
        indexes = results['frame_inds']
        assert len(indexes) == 16 and indexes.max() < total
        expected = indexes[0] + np.arange(16) * interval
        assert (indexes == expected.clip(max=total - 1)).all()
        starts.add(int(indexes[0]))
    assert starts == set(range(max(total - window, 0) + 1))


def test_uniform_windows_span_the_video():
    results = sample(36, clip_len=16, num_clips=3, test_mode=True)
    windows = results['frame_inds'].reshape(3, 16)
    assert windows[:, 0].tolist() == [0, 10, 20]
    assert results['num_clips'] == 3 and results['clip_len'] == 16
    # Training takes one window, whatever testing takes.
    assert sample(36, clip_len=16, num_clips=3)['num_clips'] == 1


@pytest.mark.parametrize(
    'options, message',
    [
        (dict(clip_len=0), 'clip_len=0'),
        (dict(frame_interval=0), 'frame_interval=0'),
        (dict(num_clips=0), 'num_clips=0'),
        (dict(windows='all'), "windows='all': must be one of .*consecutive"),
        (dict(short_clip='loop'), "short_clip='loop': must be one of .*pad_last"),
        (dict(windows='consecutive', num_clips=2), 'num_clips=2 applies to uniform'),
    ],
)
def test_impossible_sampling_is_refused(options, message):
    with pytest.raises(ValueError, match=message):
        SampleClip(**{'clip_len': 8, **options})
