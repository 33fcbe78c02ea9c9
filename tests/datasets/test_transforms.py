import json

import cv2
import numpy as np
import pytest

from ifdd_mmaction.datasets import DatasetError
from ifdd_mmaction.datasets.storage import FrameFolder
from ifdd_mmaction.datasets.transforms import LoadFrames, SampleClip
from tests.datasets.layouts import write_frames
from tests.golden import FOLDER


def sample(total, **options):
    return SampleClip(**options).transform(dict(total_frames=total))


DFEW = json.loads((FOLDER / 'sampling.json').read_text())['DFEW']


@pytest.mark.parametrize('total', [t for t in map(int, DFEW) if t <= 16])
def test_short_clips_are_padded_as_the_authors_pad_dfew(total):
    results = sample(total, clip_len=16, test_mode=True)
    assert results['frame_inds'].tolist() == DFEW[str(total)]['test_multi'][0]


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


def test_testing_takes_the_same_windows_every_time():
    middle = sample(26, clip_len=16, test_mode=True)['frame_inds']
    assert middle.tolist() == list(range(5, 21))
    results = sample(36, clip_len=16, num_clips=3, test_mode=True)
    windows = results['frame_inds'].reshape(3, 16)
    assert windows[:, 0].tolist() == [0, 10, 20]
    assert results['num_clips'] == 3 and results['clip_len'] == 16


@pytest.mark.parametrize('name', ['clip_len', 'frame_interval', 'num_clips'])
def test_impossible_sampling_is_refused(name):
    with pytest.raises(ValueError, match=f'{name}=0'):
        SampleClip(**{'clip_len': 8, name: 0})


def load(folder, indexes):
    results = dict(source=FrameFolder(folder), frame_inds=np.array(indexes))
    return LoadFrames().transform(results)


def test_frames_come_in_the_order_asked_for_as_rgb(tmp_path):
    write_frames(tmp_path, 12)
    red = np.zeros((32, 32, 3), np.uint8)
    red[..., 2] = 255  # OpenCV writes BGR
    cv2.imwrite(str(tmp_path / '3.jpg'), red)
    results = load(tmp_path, [9, 1, 2, 9])
    values = [image.mean(axis=(0, 1)).round() for image in results['imgs']]
    assert values[0].tolist() == [100] * 3 and values[1].tolist() == [20] * 3
    assert values[2][0] > 250 and values[2][1] < 5
    assert results['img_shape'] == (32, 32)
    results['imgs'][0][:] = 0  # a repeated frame is a copy
    assert results['imgs'][3].mean() == pytest.approx(100, abs=1)


def damage(path, how):
    data = path.read_bytes()
    if how == 'missing':
        path.unlink()
    else:
        cut = dict(truncated=data[: len(data) // 2], empty=b'', text=b'not an image')
        path.write_bytes(cut[how])


@pytest.mark.parametrize('how', ['truncated', 'empty', 'text', 'missing'])
def test_a_bad_frame_is_named(tmp_path, how):
    write_frames(tmp_path, 2)
    source = FrameFolder(tmp_path)
    damage(tmp_path / '2.jpg', how)
    with pytest.raises(DatasetError, match=r'2\.jpg'):
        source.read([0, 1])


def test_frames_of_different_sizes_are_refused(tmp_path):
    write_frames(tmp_path, 1)
    write_frames(tmp_path, 1, size=40, start=2)
    with pytest.raises(DatasetError, match='different sizes'):
        load(tmp_path, [0, 1])


def test_a_jpeg_with_bytes_behind_its_end_is_read(tmp_path):
    write_frames(tmp_path, 1)
    path = tmp_path / '1.jpg'
    path.write_bytes(path.read_bytes() + b'\0' * 64)
    assert len(load(tmp_path, [0])['imgs']) == 1
