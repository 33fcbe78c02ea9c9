import shutil

import pytest
from mmaction.registry import DATASETS
from mmengine.config import Config

from ifdd_mmaction.datasets import DatasetError, check_datasets
from tests.datasets.layouts import make_dfew, write_frames, write_list

TRAIN_LIST = 'EmoLabel_DataSplit/train(single-labeled)/set_1.csv'


def build(root, **options):
    return DATASETS.build(dict(type='DFEWDataset', data_root=str(root), **options))


@pytest.mark.parametrize('split_dir', ['{}(single-labeled)', '{}_single-labeled'])
@pytest.mark.parametrize(
    'release', ['clip_224x224_16f', 'clip_224x224', 'jpg_256', 'clip_64x64_16f']
)
def test_every_official_layout_is_found(tmp_path, split_dir, release):
    make_dfew(tmp_path, 1, release=release, split_dir=split_dir, folds=2)
    for split, test_mode in (('train', False), ('test', True)):
        dataset = build(tmp_path, split=split, fold=2)
        assert len(dataset) == 7
        assert dataset.test_mode is test_mode
        assert [dataset.get_data_info(i)['label'] for i in range(7)] == list(range(7))
    assert dataset.metainfo['classes'] == (
        'happy', 'sad', 'neutral', 'angry', 'surprise', 'disgust', 'fear'
    )  # fmt: skip
    assert dataset.metainfo['release'] == f'Clip/{release}'
    assert dataset.metainfo['fold'] == 2
    assert len(dataset.metainfo['palette']) == 7


def test_the_interpolated_release_is_preferred_and_another_can_be_named(tmp_path):
    make_dfew(tmp_path, 1, release='clip_224x224_16f')
    make_dfew(tmp_path, 1, frames=20, release='jpg_256')
    assert build(tmp_path).get_data_info(0)['total_frames'] == 16
    named = build(tmp_path, frame_dir='Clip/jpg_256')
    assert named.get_data_info(0)['total_frames'] == 20


def test_frames_are_listed_from_disk_in_the_order_of_their_numbers(tmp_path):
    make_dfew(tmp_path, 1, frames=12)
    folder = tmp_path / 'Clip/clip_224x224_16f/00001'
    (folder / '7.jpg').unlink()
    (folder / 'Thumbs.db').write_text('no frame')
    info = build(tmp_path).get_data_info(0)
    numbers = (1, 2, 3, 4, 5, 6, 8, 9, 10, 11, 12)
    assert info['source'].frames == [f'{i}.jpg' for i in numbers]
    assert info['total_frames'] == 11


def test_short_clips_are_kept_and_clips_without_a_single_label_are_not(tmp_path):
    make_dfew(tmp_path, 1, frames=3)
    write_list(tmp_path / TRAIN_LIST, [(1, 1), (2, 0), (3, 7)])
    dataset = build(tmp_path)
    assert [dataset.get_data_info(i)['video_id'] for i in range(2)] == ['1', '3']
    assert dataset.get_data_info(1)['label'] == 6
    assert dataset.get_cat_ids(1) == [6]


def error_of(root, **options) -> str:
    with pytest.raises(DatasetError) as error:
        build(root, **options)
    return str(error.value)


def test_a_missing_root_says_what_where_and_which_page(tmp_path):
    message = error_of(tmp_path / 'dfew')
    assert str(tmp_path / 'dfew') in message and 'data/README.md' in message
    assert len(message.splitlines()) == 2


def test_a_missing_fold_file_names_every_place_that_was_looked_at(tmp_path):
    make_dfew(tmp_path, 1)
    message = error_of(tmp_path, fold=3)
    assert 'train(single-labeled)/set_3.csv' in message
    assert 'train_single-labeled/set_3.csv' in message


def test_missing_frames_name_the_folders_looked_for(tmp_path):
    make_dfew(tmp_path, 1)
    shutil.rmtree(tmp_path / 'Clip')
    assert 'Clip/clip_*_16f' in error_of(tmp_path)
    assert 'Clip/mine' in error_of(tmp_path, frame_dir='Clip/mine')


@pytest.mark.parametrize('fold', [0, 6])
def test_an_unknown_fold_is_refused(tmp_path, fold):
    make_dfew(tmp_path, 1)
    assert f'fold={fold}' in error_of(tmp_path, fold=fold)


def test_an_unknown_split_is_refused(tmp_path):
    assert "split='val'" in error_of(tmp_path, split='val')


def test_a_list_without_header_is_refused(tmp_path):
    make_dfew(tmp_path, 1)
    write_list(tmp_path / TRAIN_LIST, [(1, 1)], header=None)
    message = error_of(tmp_path)
    assert TRAIN_LIST in message and "'1,1'" in message and 'video_name' in message


def test_bad_lines_are_named_and_counted(tmp_path):
    make_dfew(tmp_path, 1)
    rows = [(1, 1), (2, 8), ('x', 3), (4, ''), (1, 2), (5, -1), (6, 'happy'), (7, 9)]
    write_list(tmp_path / TRAIN_LIST, rows)
    message = error_of(tmp_path)
    assert '7 bad lines' in message and 'and 2 more' in message
    assert "set_1.csv:3: '2,8'" in message and 'listed twice' in message


def test_an_empty_list_is_refused(tmp_path):
    make_dfew(tmp_path, 1)
    write_list(tmp_path / TRAIN_LIST, [])
    assert 'no labelled clip' in error_of(tmp_path)


def test_absent_and_empty_clip_folders_are_all_found_before_training(tmp_path):
    make_dfew(tmp_path, 2)
    frames = tmp_path / 'Clip/clip_224x224_16f'
    shutil.rmtree(frames / '00001')
    for name in range(2, 9):
        for frame in (frames / f'{name:05d}').iterdir():
            frame.unlink()
    message = error_of(tmp_path)
    assert '8 of 14 clips' in message and 'and 3 more' in message
    assert '00001: no such folder' in message and '00002: no frame' in message


def test_a_frame_without_a_number_is_refused(tmp_path):
    make_dfew(tmp_path, 1)
    folder = tmp_path / 'Clip/clip_224x224_16f/00001'
    (folder / '1.jpg').rename(folder / 'first.jpg')
    assert 'first.jpg: no frame number' in error_of(tmp_path)


def test_a_root_with_dots_and_spaces_is_no_trap(tmp_path):
    root = make_dfew(tmp_path / 'data v1.2 (x)' / 'dfew', 1)
    assert len(build(root)) == 7


def test_check_datasets_builds_each_loaders_dataset_once(tmp_path):
    make_dfew(tmp_path, 1)
    good = dict(type='DFEWDataset', data_root=str(tmp_path))
    bad = dict(good, fold=4)
    cfg = Config(
        dict(train_dataloader=dict(dataset=good), val_dataloader=dict(dataset=bad))
    )
    check_datasets(cfg, ('train_dataloader', 'test_dataloader'))
    with pytest.raises(DatasetError, match=r'set_4\.csv'):
        check_datasets(cfg, ('train_dataloader', 'val_dataloader'))


def test_a_clip_of_other_frames_than_listed_elsewhere_is_read(tmp_path):
    make_dfew(tmp_path, 1)
    write_frames(tmp_path / 'Clip/clip_224x224_16f/00001', 3, start=17)
    assert build(tmp_path).get_data_info(0)['total_frames'] == 19
