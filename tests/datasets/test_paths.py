"""What a list, an archive or a link names stays where it belongs."""

import os

import numpy as np
import pytest
from mmaction.registry import DATASETS

from ifdd_mmaction.datasets import DatasetError
from ifdd_mmaction.datasets.label_list import check_name
from tests.helpers.layouts import make_dfew, write_frames, write_lines, write_video

OUTSIDE = ['..', '../outside', 'a/../../outside', '/etc', 'C:/a', 'a\\..\\b', 'a\0b']


@pytest.mark.parametrize('name', [*OUTSIDE, '', '.', './a', 'a//b', 'a/'])
def test_a_name_that_leads_out_is_refused(name):
    with pytest.raises(DatasetError, match='must be a relative path'):
        check_name(name)


@pytest.mark.parametrize('name', ['1', 'Action/Happy/0063', 'scene 1.b/été', '..a'])
def test_a_name_below_its_folder_is_taken(name):
    assert check_name(name) == name


def error_of(kind: str, root, **options) -> str:
    with pytest.raises(DatasetError) as error:
        DATASETS.build(dict(type=kind, data_root=str(root), **options))
    return str(error.value)


@pytest.mark.parametrize('name', OUTSIDE)
def test_a_list_cannot_name_clips_outside(name, tmp_path):
    lists = dict(
        FERV39kDataset=('4_setups/All_scenes/train_All.csv', f'{name} Happy'),
        MAFWDataset=('label/no_caption/set_1/train.txt', f'{name} anger'),
        DFEWDataset=(
            'EmoLabel_DataSplit/train(single-labeled)/set_1.csv',
            f'video_name,label\n{name},1',
        ),
        AnnotationFileDataset=('train.csv', f'path,label\n{name},happy'),
    )
    for kind, (path, line) in lists.items():
        root = tmp_path / kind
        write_lines(root / path, [line])
        (root / '2_ClipsforFaceCrop/a').mkdir(parents=True)
        # What it names is there, so that nothing but the name is wrong.
        for folder in (tmp_path, root):
            write_frames(folder, 2)
            write_frames(folder / 'outside', 2)
        write_frames(root / 'frames/outside', 2)  # the name without its folders
        options = dict(ann_file=path) if kind.startswith('Ann') else {}
        try:
            dataset = DATASETS.build(dict(type=kind, data_root=str(root), **options))
        except DatasetError:
            continue
        folder = dataset.get_data_info(0)['source'].folder
        assert folder == str(root / 'frames/outside'), kind


def test_a_data_root_and_what_is_below_it_may_be_links(tmp_path):
    """Data trees on clusters hold links to other disks."""
    make_dfew(tmp_path / 'disk', clips_per_class=1, frames=2)
    root = tmp_path / 'root'
    root.mkdir()
    (root / 'EmoLabel_DataSplit').symlink_to(tmp_path / 'disk/EmoLabel_DataSplit')
    (root / 'Clip').symlink_to(tmp_path / 'disk/Clip')
    (tmp_path / 'link').symlink_to(root)
    dataset = DATASETS.build(dict(type='DFEWDataset', data_root=str(tmp_path / 'link')))
    assert len(dataset) == 7
    assert np.shape(dataset.get_data_info(0)['source'].read([0])) == (1, 32, 32, 3)


def test_links_that_lead_up_are_not_followed_for_ever(tmp_path):
    root = tmp_path / 'mafw'
    write_lines(root / 'label/no_caption/set_1/train.txt', ['00001.mp4 anger'])
    write_video(root / 'disk/00001.mp4', 2)
    clips = root / 'data/clips'
    clips.mkdir(parents=True)
    os.symlink(root / 'disk', clips / 'part_1')
    for name in 'abcdefgh':  # followed, they are 8 ** 40 folders
        os.symlink(clips, root / 'disk' / name)
        os.symlink('.', clips / name)
    dataset = DATASETS.build(
        dict(type='MAFWDataset', data_root=str(root), video_dir='data/clips')
    )
    assert dataset.get_data_info(0)['source'].path == str(clips / 'part_1/00001.mp4')


@pytest.mark.parametrize('kind', ['file', 'name too long', 'loop'])
def test_what_is_no_folder_of_frames_is_named(kind, tmp_path):
    name = 'x' * 300 if kind == 'name too long' else 'notes'
    if kind == 'file':
        (tmp_path / name).write_text('no frames')
    elif kind == 'loop':
        (tmp_path / name).symlink_to(name)
    write_lines(tmp_path / 'train.csv', ['path,label', f'{name},happy'])
    assert f'{name}: no folder of frames: ' in error_of(
        'AnnotationFileDataset', tmp_path, ann_file='train.csv'
    )


@pytest.mark.parametrize('number', ['10000', '9' * 12, '9' * 5000])
def test_a_class_number_does_not_fill_the_memory(number, tmp_path):
    write_frames(tmp_path / 'a', 1)
    write_lines(tmp_path / 'train.csv', ['path,label', f'a,{number}'])
    error = error_of('AnnotationFileDataset', tmp_path, ann_file='train.csv')
    assert 'as the number of a class' in error and len(error) < 300


def test_a_cell_without_end_is_named(tmp_path):
    write_lines(tmp_path / 'train.csv', ['path,label', 'a,"' + 'x' * 140_000])
    error = error_of('AnnotationFileDataset', tmp_path, ann_file='train.csv')
    assert 'train.csv:' in error and 'not CSV (field larger than' in error
