"""The classes of data, head and loss are compared before anything is run."""

from __future__ import annotations

from pathlib import Path

import pytest
from mmaction.registry import DATASETS
from mmengine.config import Config

from ifdd_mmaction.datasets import DatasetError, check_datasets
from tests.helpers.golden import ROOT
from tests.helpers.layouts import make_dfew, write_frames, write_lines
from tests.helpers.runners import tiny_runner
from tests.helpers.tools import TINY, run_tool

LISTS = dict(
    seven=[f'c{i},{i - 1}' for i in range(1, 8)],
    from_one=[f'c{i},{i}' for i in range(1, 8)],
    two=[f'c{i},{i % 2}' for i in range(1, 8)],
    names=[f'c{i},{"abcdefg"[i - 1]}' for i in range(1, 8)],
    other_names=[f'c{i},{"abcdefh"[i - 1]}' for i in range(1, 8)],
    one=['c1,0'],
)


@pytest.fixture(scope='module')
def own(tmp_path_factory) -> Path:
    root = tmp_path_factory.mktemp('own')
    for i in range(1, 8):
        write_frames(root / f'c{i}', 10)
    for name, lines in LISTS.items():
        write_lines(root / f'{name}.csv', ['path,label', *lines])
    return root


def config(root: Path, train: str, val: str | None = None, **options) -> Config:
    cfg = Config.fromfile(TINY)
    for loader, name in (('train', train), ('val', val or train)):
        split = 'train' if loader == 'train' else 'test'
        cfg[f'{loader}_dataloader'].dataset = dict(
            type='AnnotationFileDataset', data_root=str(root), ann_file=f'{name}.csv',
            pipeline=cfg[f'{loader}_dataloader'].dataset.pipeline, split=split,
        )  # fmt: skip
    cfg.merge_from_dict(options)
    return cfg


def check(*args, **options) -> None:
    loaders = ('train_dataloader', 'val_dataloader')
    check_datasets(config(*args, **options), loaders)


HEAD = 'model.cls_head.num_classes'
WEIGHT = 'model.cls_head.loss_cls.task'


def test_what_agrees_passes(own):
    check(own, 'seven')
    check(own, 'names')
    check(own, 'two', **{HEAD: 2})
    check(own, 'seven', **{f'{WEIGHT}.class_weight': [1.0] * 7})


@pytest.mark.parametrize(
    ('lists', 'options', 'message'),
    [
        (['from_one'], {}, r'from_one\.csv has the labels 1 to 7 .* subtract 1 from'),
        (['two'], {}, r'two\.csv has the labels 0 to 1 of 2 .* set num_classes=2'),
        (['seven'], {HEAD: 2}, 'labels 0 to 6 of 7 .*num_classes=2: set num_classes=7'),
        (['seven', 'two'], {}, r'val_dataloader: .*two\.csv has the labels 0 to 1'),
        (['names', 'other_names'], {}, 'a, b, c, d, e, f, g, val_dataloader has'),
        (['seven'], {f'{WEIGHT}.class_weight': [1.0, 2]}, 'class_weight has 2 cl'),
        (['seven'], {f'{WEIGHT}.class_counts': [1] * 8}, 'class_counts has 8 classe'),
        (
            ['seven'],
            {
                'model.data_preprocessor.blending': dict(
                    _delete_=True,
                    type='RandomBatchAugment',
                    augments=[dict(type='MixupBlending', num_classes=11)],
                )
            },
            r'blending\.augments\[0\]\.num_classes has 11 classes, .* is 7',
        ),
    ],
)
def test_what_differs_is_one_line_with_the_remedy(own, lists, options, message):
    with pytest.raises(DatasetError, match=message) as caught:
        check(own, *lists, **options)
    assert '\n' not in str(caught.value)


def test_numbers_beyond_the_named_classes_are_bad_lines(own):
    dataset = dict(
        type='AnnotationFileDataset', data_root=str(own), ann_file='from_one.csv',
        metainfo=dict(classes=tuple('abcdefg')), pipeline=[],
    )  # fmt: skip
    with pytest.raises(DatasetError, match=r'csv:8: label 7: .* go from 0 to 6, a be'):
        DATASETS.build(dataset)


@pytest.mark.parametrize('kind', ['VideoDataset', 'RawframeDataset'])
def test_data_without_names_of_classes(tmp_path, kind):
    frames = '3 ' if kind == 'RawframeDataset' else ''
    write_lines(tmp_path / 'list.txt', [f'a.mp4 {frames}{label}' for label in (1, 2)])
    cfg = Config.fromfile(TINY)
    cfg.train_dataloader.dataset = dict(
        type=kind, ann_file=str(tmp_path / 'list.txt'), pipeline=[]
    )
    cfg.train_dataloader.batch_size = 2
    check_datasets(cfg, ['train_dataloader'])
    cfg.model.cls_head.num_classes = 2
    with pytest.raises(DatasetError, match=r'list\.txt has the labels 1 to 2.*subtrac'):
        check_datasets(cfg, ['train_dataloader'])


@pytest.mark.parametrize('drop', [True, False])
def test_fewer_clips_than_a_batch(own, drop):  # mmengine#945
    options = {HEAD: 1, 'train_dataloader.drop_last': drop}
    if not drop:
        check(own, 'one', **options)
        return
    with pytest.raises(DatasetError, match=r'1 clips are fewer than a batch of 4.*=1,'):
        check(own, 'one', **options)


# --- whatever runs the config, and the tool -------------------------------------------


def test_the_hook_looks_before_any_tool_runs(own, tmp_path):
    data = dict(type='AnnotationFileDataset', data_root=str(own), ann_file='two.csv')
    for run in ('train', 'test'):
        with pytest.raises(DatasetError, match='labels 0 to 1 of 2 classes'):
            getattr(tiny_runner(tmp_path, data), run)()
    data = dict(type='AnnotationFileDataset', data_root=str(own), ann_file='one.csv')
    options = {HEAD: 1, 'train_cfg.type': 'ResumableTrainLoop'}
    with pytest.raises(DatasetError, match='1 clips are fewer than a batch of 7'):
        tiny_runner(tmp_path, data, **options).train()


def test_the_tool_ends_with_one_line(own, tmp_path):
    path = tmp_path / 'own.py'
    config(own, 'from_one').dump(path)
    result = run_tool('train.py', path, '--work-dir', tmp_path / 'run', check=2)
    assert 'subtract 1 from each label' in result.stderr.strip().splitlines()[-1]
    assert not (tmp_path / 'run').exists()


def test_no_workers_are_a_line_of_config(tmp_path):  # mmsegmentation#2514
    data = make_dfew(tmp_path / 'dfew', clips_per_class=1, frames=10)
    options = {
        'train_dataloader.num_workers': 0,
        'train_dataloader.persistent_workers': True,
        'train_dataloader.prefetch_factor': 2,
    }
    runner = tiny_runner(
        tmp_path, dict(type='DFEWDataset', data_root=str(data)), **options
    )
    runner.train()
    assert runner.train_dataloader.num_workers == 0
    log = ''.join(p.read_text() for p in tmp_path.glob('*/*.log'))
    assert 'num_workers=0: persistent_workers, prefetch_factor ignored' in log


def test_configs_leave_the_seed_to_the_tool():
    for path in sorted((ROOT / 'configs').glob('*.py')):
        assert 'randomness' not in Config.fromfile(path), path
