"""The pictures of a test: one a clip, with its frames."""

import cv2
import numpy as np
import pytest
import torch

from ifdd_mmaction.engine.clip_visualization_hook import frames_of
from tests.helpers.layouts import make_dfew, make_ferv39k
from tests.helpers.runners import tiny_runner


def hook(**options):
    return {f'default_hooks.visualization.{k}': v for k, v in options.items()}


@pytest.mark.parametrize('views', [1, 3])
def test_frames_of_three_dimensional_clips(views):
    frames = torch.randint(0, 256, (views, 3, 8, 4, 5), dtype=torch.uint8)
    np.testing.assert_array_equal(frames_of(frames)[6, 1, 2], frames[0, :, 6, 1, 2])
    assert frames_of(frames).shape == (8, 4, 5, 3)


def test_frames_of_two_dimensional_clips():
    frames = torch.randint(0, 256, (8, 3, 4, 5), dtype=torch.uint8)
    np.testing.assert_array_equal(frames_of(frames)[6, 1, 2], frames[6, :, 1, 2])
    assert frames_of(frames).shape == (8, 4, 5, 3)


@pytest.mark.slow
def test_each_clip_gets_a_picture_of_its_frames(tmp_path):
    root = make_ferv39k(tmp_path / 'ferv39k', frames=8)
    data = dict(type='FERV39kDataset', data_root=str(root))
    options = hook(enable=True, out_dir=str(tmp_path / 'out'))
    tiny_runner(tmp_path / 'run', data, **options).test()
    pictures = {path.name: path for path in (tmp_path / 'out').iterdir()}
    assert len(pictures) == 7 and 'Action_Angry_0008.png' in pictures
    image = cv2.imread(str(pictures['Action_Angry_0008.png'])).astype(int)
    for grey in range(10, 81, 10):  # a frame each
        assert (np.abs(image - grey).max(2) <= 1).sum() > 1000


@pytest.mark.slow
def test_every_other_clip_and_none_that_cannot_be_read(tmp_path):
    root = make_dfew(tmp_path / 'dfew', 1, frames=8)
    (root / 'Clip/clip_224x224_16f/00010/5.jpg').write_bytes(b'no image')
    data = dict(type='DFEWDataset', data_root=str(root), bad_clips='count_wrong')
    options = hook(enable=True, interval=2, out_dir=str(tmp_path / 'out'))
    tiny_runner(tmp_path / 'run', data, **options).test()
    assert sorted(path.stem for path in (tmp_path / 'out').iterdir()) == [
        '12', '14', '8',
    ]  # fmt: skip


@pytest.mark.slow
def test_without_a_folder_the_backends_of_the_config_get_the_pictures(tmp_path):
    data = dict(type='DFEWDataset', data_root=str(make_dfew(tmp_path / 'd', 1, 8)))
    tiny_runner(tmp_path / 'run', data, **hook(enable=True, interval=7)).test()
    (picture,) = (tmp_path / 'run').glob('*/vis_data/vis_image/*.png')
    assert picture.name == '8_0.png'
    assert cv2.imread(str(picture)).shape[0] > 60


@pytest.mark.slow
def test_nothing_is_drawn_unless_asked_for(tmp_path):
    data = dict(type='DFEWDataset', data_root=str(make_dfew(tmp_path / 'd', 1, 8)))
    tiny_runner(tmp_path / 'run', data).test()
    assert not list(tmp_path.rglob('*.png'))
