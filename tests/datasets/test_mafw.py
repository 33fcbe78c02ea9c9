import re

import pytest
from mmaction.registry import DATASETS
from mmengine.logging import MMLogger

from ifdd_mmaction.datasets import DatasetError
from tests.helpers.layouts import MAFW, make_mafw, write_frames, write_lines


def build(root, **options):
    return DATASETS.build(dict(type='MAFWDataset', data_root=str(root), **options))


@pytest.fixture
def log(tmp_path):
    """What is logged, as text."""
    file = tmp_path / 'log.txt'
    MMLogger.get_instance(str(tmp_path), log_file=str(file))
    return file.read_text


@pytest.mark.parametrize('lists', ['label', 'Train & Test Set/single'])
@pytest.mark.parametrize('storage', ['frames', 'video'])
def test_every_official_layout_is_found(tmp_path, lists, storage):
    lists = f'{lists}/no_caption'
    make_mafw(tmp_path, 5, lists=lists, storage=storage, folds=2)
    for split in ('train', 'test'):
        dataset = build(tmp_path, split=split, fold=2)
        infos = [dataset.get_data_info(i) for i in range(len(dataset))]
        assert [info['label'] for info in infos] == list(range(11))
        assert {len(info['source']) for info in infos} == {5}
    assert [info['video_id'] for info in infos][:2] == ['00012', '00013']
    assert dataset.metainfo['classes'] == MAFW
    assert len(dataset.metainfo['palette']) == 11
    assert dataset.metainfo['storage'] == storage
    assert dataset.metainfo['fold'] == 2


def test_face_crops_are_preferred_to_raw_videos_and_the_choice_is_logged(tmp_path, log):
    make_mafw(tmp_path, 2, storage='video')
    make_mafw(tmp_path, 3)
    assert len(build(tmp_path).get_data_info(0)['source']) == 3
    assert re.search(r'11 clips in train fold 1, frames of .*/frames$', log(), re.M)
    # macOS puts such a file beside each video that it copies.
    (tmp_path / 'data/clips/._00001.mp4').write_bytes(b'Mac OS X')
    raw = build(tmp_path, video_dir='data/clips')
    assert re.search(r'videos are read by PyAV \d+', log())
    assert re.match(r'PyAV \d+', raw.metainfo['decoder'])
    assert len(raw.get_data_info(0)['source']) == 2
    assert raw.metainfo['release'] == 'data/clips'


def test_frames_that_are_no_face_crops_are_warned_of_once(tmp_path, log):
    make_mafw(tmp_path, 1)
    build(tmp_path)
    assert 'face crops' not in log()
    for folder in (tmp_path / 'frames').iterdir():
        write_frames(folder, 1, size=36, width=64, name='{:05d}.png')
    for split in ('train', 'train', 'test'):
        build(tmp_path, split=split)
    # Once for each list: train and test may differ.
    assert log().count('frames of 64 x 36 pixels') == 2


def test_an_unknown_class_names_the_line_and_the_classes(tmp_path):
    make_mafw(tmp_path, 1)
    lines = ['00001.mp4 anger', '00002.mp4 Disgust', '00003.mp4 angst']
    write_lines(tmp_path / 'label/no_caption/set_1/train.txt', lines)
    with pytest.raises(DatasetError) as error:
        build(tmp_path)
    assert "train.txt:3: class 'angst' is none of anger, disgust" in str(error.value)
