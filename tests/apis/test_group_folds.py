"""Folds that share no group, of each kind of dataset."""

import json
from collections import Counter

import pytest
from mmaction.registry import DATASETS
from mmengine.config import Config
from mmengine.registry import init_default_scope

from ifdd_mmaction.apis.group_folds import group_folds
from ifdd_mmaction.datasets import DatasetError, set_fold
from ifdd_mmaction.errors import InputError
from tests.helpers.layouts import (
    make_dfew,
    make_ferv39k,
    make_mafw,
    write_frames,
    write_lines,
)

LOADERS = ('train', 'val', 'test')


@pytest.fixture(autouse=True)
def scope():
    init_default_scope('mmaction')


def config(train, test=None):
    test = test or dict(train, split='test')
    loaders = dict(train=train, val=test, test=test)
    return Config(
        {f'{name}_dataloader': dict(dataset=d) for name, d in loaders.items()}
    )


def names_of(cfg, loader):
    dataset = DATASETS.build(cfg[f'{loader}_dataloader'].dataset)
    return {dataset.get_data_info(i)['video_id'] for i in range(len(dataset))}


def check(cfg, groups, folder, count, expected):
    """Check that the folds of a config partition the clips and share no group."""
    tested = Counter()
    for fold in range(1, count + 1):
        set_fold(cfg, fold)
        clips = {name: names_of(cfg, name) for name in LOADERS}
        assert clips['test'] == clips['val'] and not clips['train'] & clips['test']
        assert clips['train'] | clips['test'] == expected
        films = [{groups[clip] for clip in clips[name]} for name in ('train', 'test')]
        assert not films[0] & films[1]
        tested.update(clips['test'])
    assert tested == dict.fromkeys(expected, 1)
    with pytest.raises(DatasetError, match=f'fold {count + 1}: '):
        set_fold(cfg, count + 1)
    report = json.loads((folder / 'groups.json').read_text())
    assert not any(row['shared'] for row in report['folds']['folds'])
    assert not any(row['shared'] for row in report['folds']['pairs'])
    return report['official']


def regroup(tmp_path, cfg, groups, num_folds=None):
    rows = [f'"{clip}",{group}' for clip, group in groups.items()]
    write_lines(tmp_path / 'groups.csv', ['clip,group', *rows])
    folder = tmp_path / 'work' / 'groups'
    options = group_folds(cfg, tmp_path / 'groups.csv', folder, num_folds)
    cfg.merge_from_dict(options)
    return folder


@pytest.mark.parametrize('wrap', [
    dict,
    lambda d: dict(type='RepeatDataset', times=1, dataset=d),
])  # fmt: skip
def test_the_official_folds_of_dfew_are_replaced(tmp_path, wrap, capsys):
    root = make_dfew(tmp_path / 'dfew', 2, frames=8, folds=2)
    own = dict(type='DFEWDataset', data_root=str(root), fold=1)
    cfg = config(own)
    # Clips 1 to 14 are official train clips, two of each class, 15 to 28 test clips.
    groups = {str(i): f'film {(i - 1) % 2}' for i in range(1, 29)}
    for fold in (3, 4, 5):  # folds 1 and 2 have lists
        for split in ('train', 'test'):
            place = root / f'EmoLabel_DataSplit/{split}(single-labeled)'
            (place / f'set_{fold}.csv').write_bytes((place / 'set_1.csv').read_bytes())
    cfg.train_dataloader.dataset = wrap(cfg.train_dataloader.dataset)
    folder = regroup(tmp_path, cfg, groups, 2)
    if wrap is not dict:
        cfg.train_dataloader.dataset = cfg.train_dataloader.dataset.dataset
    official = check(cfg, groups, folder, 2, set(groups))
    assert [row['fold'] for row in official['folds']] == [1, 2, 3, 4, 5]
    assert official['folds'][0]['shared'] == ['film 0', 'film 1']
    assert official['folds'][0]['shared_clips'] == dict(train=14, test=14)
    said = capsys.readouterr().out
    assert '| 1 | 2 | 2 | 2 | 14 | 14 |' in said  # the official ones share both films
    assert '| 2 | 14 | 2 | 2 | 2 | 2 | 2 | 2 | 2 |' in said
    dataset = DATASETS.build(cfg.test_dataloader.dataset | dict(fold=2))
    assert dataset.metainfo['lists'] == str(folder.resolve())


@pytest.mark.parametrize('kind, make', [
    ('FERV39kDataset', make_ferv39k), ('MAFWDataset', make_mafw)
])  # fmt: skip
def test_other_datasets(tmp_path, kind, make):
    options = dict(folds=5) if kind == 'MAFWDataset' else {}
    root = make(tmp_path / 'data', frames=2, **options)
    cfg = config(dict(type=kind, data_root=str(root)))
    clips = names_of(cfg, 'train') | names_of(cfg, 'test')
    order = sorted(clips, key=lambda name: name[-4:])
    # Of each class there is a clip in train and one in test.
    half = len(order) // 2
    groups = {name: f'film {i // half}' for i, name in enumerate(order)}
    listed = {f'{name}.mp4': film for name, film in groups.items()}
    folder = regroup(tmp_path, cfg, groups if kind[0] == 'F' else listed, 2)
    official = check(cfg, groups, folder, 2, clips)
    assert official['folds'][0]['shared'] == []


def test_own_videos_and_parts_of_them(tmp_path):
    root = tmp_path / 'my faces'
    for person in 'abcd':
        write_frames(root / f'{person} 1, x', 12)
    rows = [
        f'"{person} 1, x",{label},{start},{end}'
        for person in 'abcd'
        for label, start, end in (('happy', 0, 4), ('sad', 4, 9), ('sad', 9, ''))
    ]
    header = 'path,label,start,end'
    write_lines(root / 'train.csv', [header, *rows[:7]])
    write_lines(root / 'test.csv', [header, *rows[7:]])
    own = dict(type='AnnotationFileDataset', data_root=str(root))
    # As docs/own_videos.md has it, but validation forgets its split.
    cfg = config(
        dict(own, ann_file='train.csv'), dict(own, ann_file='test.csv', split='test')
    )
    del cfg.val_dataloader.dataset['split']
    expected = names_of(cfg, 'train') | names_of(cfg, 'test')
    assert len(expected) == 12
    by_path = {f'{person} 1, x': person for person in 'abcd'}
    folder = regroup(tmp_path, cfg, by_path, 4)
    groups = {name: name[0] for name in expected}
    official = check(cfg, groups, folder, 4, expected)
    assert official['folds'][0]['shared'] == ['c']


def test_the_same_lists_are_not_written_again(tmp_path):
    root = make_ferv39k(tmp_path / 'data', frames=2)
    cfg = config(dict(type='FERV39kDataset', data_root=str(root)))
    clips = names_of(cfg, 'train') | names_of(cfg, 'test')
    groups = {name: str(int(name[-4:]) > 7) for name in clips}
    folder = regroup(tmp_path, cfg.copy(), groups, 2)
    before = {p: p.stat().st_mtime_ns for p in folder.rglob('*')}
    regroup(tmp_path, cfg.copy(), groups, 2)
    assert {p: p.stat().st_mtime_ns for p in folder.rglob('*')} == before
    (folder / 'set_1/test.csv').write_text('clip,label\n')
    with pytest.raises(DatasetError, match='holds other lists than these'):
        regroup(tmp_path, cfg.copy(), groups, 2)


@pytest.mark.parametrize('change, error, message', [
    (dict(ann_file='x.csv'), InputError, 'train_dataloader.dataset.ann_file is set'),
    (dict(type='VideoDataset', ann_file='x'), InputError, 'is a VideoDataset, not one'),
    (dict(data_root='other'), InputError, 'several datasets: FERV39kDataset of'),
    ({}, DatasetError, '5 folds by .*groups.csv: class Angry: part . of 5 gets none of '
     'its 2 clips, which are in 2 groups, 1 of them in group'),
])  # fmt: skip
def test_what_cannot_be_divided_is_refused(tmp_path, change, error, message):
    root = make_ferv39k(tmp_path / 'data', frames=2)
    cfg = config(dict(type='FERV39kDataset', data_root=str(root)))
    clips = names_of(cfg, 'train') | names_of(cfg, 'test')
    if 'type' in change:
        cfg.train_dataloader.dataset = change
    cfg.train_dataloader.dataset.update(change)
    with pytest.raises(error, match=message):
        regroup(tmp_path, cfg, {name: str(int(name[-4:]) > 7) for name in clips})
    assert not (tmp_path / 'work').exists()
