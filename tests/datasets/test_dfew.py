import os
import shutil

import pytest
from mmaction.registry import DATASETS
from mmengine.config import Config

from ifdd_mmaction.datasets import DatasetError, check_datasets
from tests.helpers.layouts import make_dfew, write_frames, write_list, write_video

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
    assert dataset.metainfo['storage'] == 'frames'
    assert dataset.metainfo['fold'] == 2
    assert len(dataset.metainfo['palette']) == 7


def test_the_interpolated_release_is_preferred_and_another_can_be_named(tmp_path):
    make_dfew(tmp_path, 1, release='clip_224x224_16f')
    make_dfew(tmp_path, 1, frames=20, release='jpg_256')
    assert build(tmp_path).get_data_info(0)['total_frames'] == 16
    named = build(tmp_path, frame_dir='Clip/jpg_256')
    assert named.get_data_info(0)['total_frames'] == 20


def test_the_original_videos_are_found_where_there_are_no_frames(tmp_path):
    make_dfew(tmp_path, 1)
    named = sorted((tmp_path / 'Clip/clip_224x224_16f').iterdir())
    for i, folder in enumerate(named):
        path = tmp_path / f'Clip/original/part_{i % 2 + 1}/{int(folder.name)}.mp4'
        write_video(path, 20)
    forced = build(tmp_path, video_dir='Clip/original')
    shutil.rmtree(tmp_path / 'Clip/clip_224x224_16f')
    dataset = build(tmp_path)
    for found in (dataset, forced):
        assert found.metainfo['storage'] == 'video'
        assert found.metainfo['release'] == 'Clip/original'
        info = found.get_data_info(3)
        assert info['video_id'] == '4' and info['label'] == 3
        assert info['source'].name.endswith('part_2/4.mp4')
        assert len(info['source']) == 20
    loaded = build(tmp_path, pipeline=[dict(type='SampleClip', clip_len=16)])[3]
    assert loaded['total_frames'] == 20 and len(loaded['frame_inds']) == 16


def test_two_videos_of_one_clip_are_refused(tmp_path):
    make_dfew(tmp_path, 1)
    for i in (1, 2):
        write_video(tmp_path / f'Clip/original/part_{i}/{"0" * i}7.mp4', 2)
    assert 'are both clip 7' in error_of(tmp_path, video_dir='Clip/original')


def test_two_storages_at_once_are_refused(tmp_path):
    message = error_of(tmp_path, frame_dir='Clip/jpg_256', archive='dfew.pack')
    assert 'one of frame_dir, video_dir and archive' in message


def test_a_clip_in_both_lists_of_a_fold_is_refused(tmp_path):
    make_dfew(tmp_path, 1)
    rows = [('00008', 1), (1, 1), (9, 0)]  # 9: not of the protocol in one list
    write_list(tmp_path / TRAIN_LIST, rows)
    for split in ('train', 'test'):
        message = error_of(tmp_path, split=split)
        assert '1 clips of fold 1 are in the train and in the test list' in message
        assert 'set_1.csv' in message and ': 8.' in message


def test_a_validation_list_replaces_the_official_one(tmp_path):
    make_dfew(tmp_path, 1)
    write_list(tmp_path / 'splits/val.csv', [(2, 2), (3, 3)])
    dataset = build(tmp_path, ann_file='splits/val.csv', split='test')
    assert len(dataset) == 2 and dataset.test_mode
    write_list(tmp_path / 'splits/leaks.csv', [(2, 2), (8, 1)])
    assert 'in the test list' in error_of(tmp_path, ann_file='splits/leaks.csv')


def test_a_list_in_another_encoding_is_named(tmp_path):
    make_dfew(tmp_path, 1)
    (tmp_path / TRAIN_LIST).write_bytes('video_name,label\n\u5f20,1\n'.encode('gbk'))
    assert 'set_1.csv: not UTF-8' in error_of(tmp_path)


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
    assert 'no labeled clip' in error_of(tmp_path)


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


LOAD = [
    dict(type='SampleClip', clip_len=4),
    dict(type='LoadFrames'),
    dict(type='FormatShape', input_format='NCTHW'),
    dict(type='PackActionInputs'),
]


@pytest.mark.parametrize('link', [False, True])
@pytest.mark.parametrize('storage', ['frames', 'video'])
def test_odd_characters_and_links_in_the_root_are_no_trap(tmp_path, link, storage):
    root = make_dfew(
        tmp_path / 'data v1.2 (x) [b] \u8868\u60c5 é*' / 'dfew', 1, frames=4
    )
    if storage == 'video':
        shutil.rmtree(root / 'Clip')
        for i in range(1, 15):
            write_video(root / f'Clip/original/part_1/{i}.mp4', 4)
    if link:
        (tmp_path / 'link').symlink_to(root)
        root = tmp_path / 'link'
        (root / 'Clip').rename(tmp_path / 'elsewhere')
        (root / 'Clip').symlink_to(tmp_path / 'elsewhere')
    dataset = build(root, pipeline=LOAD)
    assert len(dataset) == 7
    assert dataset[6]['inputs'].shape == (1, 3, 4, 32, 32)


def test_nothing_is_written_below_the_root(tmp_path):
    root = make_dfew(tmp_path / 'dfew', 1, frames=4)
    before = sorted((p, p.stat().st_mtime_ns) for p in [root, *root.rglob('*')])
    for path in [root, *root.rglob('*')]:
        path.chmod(0o555 if path.is_dir() else 0o444)
    try:
        dataset = build(root, pipeline=LOAD)
        assert all('inputs' in dataset[i] for i in range(len(dataset)))
    finally:
        for folder, _, _ in os.walk(root):
            os.chmod(folder, 0o755)
    after = sorted((p, p.stat().st_mtime_ns) for p in [root, *root.rglob('*')])
    assert before == after  # holds for the superuser too, whom no mode stops


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
