import cv2
import numpy as np
import pytest

from ifdd_mmaction.datasets import DatasetError
from ifdd_mmaction.datasets.storage import FolderClipSource
from ifdd_mmaction.datasets.transforms import LoadFrames
from tests.helpers.layouts import write_frames


def load(folder, indexes):
    results = dict(source=FolderClipSource(folder), frame_inds=np.array(indexes))
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
    source = FolderClipSource(tmp_path)
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
