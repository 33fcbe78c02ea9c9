"""What is wrong in a config is said before a run starts."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest
from mmengine.config import Config

from ifdd_mmaction.engine import check_clip_shapes, clip_shape
from ifdd_mmaction.engine.config_checks import TRACEBACK
from ifdd_mmaction.errors import InputError
from ifdd_mmaction.models import infer_neck
from tests.helpers.backbone_matrix import CASES
from tests.helpers.golden import ROOT, load_tool
from tests.helpers.layouts import make_dfew
from tests.helpers.tools import TINY, data_options
from tests.models.test_infer_neck import model

LOADERS = ('train', 'val', 'test')


@pytest.fixture(scope='module')
def data(tmp_path_factory) -> Path:
    return make_dfew(tmp_path_factory.mktemp('dfew'), clips_per_class=1, frames=10)


@pytest.fixture
def call(data, tmp_path, monkeypatch, capsys):
    """Run a tool in this process; return its exit code and last line of errors."""

    def run(tool: str, *args: object, options=(), config: Path = TINY):
        line = [tool, config, *args, '--work-dir', tmp_path / 'run']
        line += ['--cfg-options', *data_options(data, *LOADERS), *options]
        monkeypatch.setattr(sys, 'argv', [str(arg) for arg in line])
        with pytest.raises(SystemExit) as stop:
            load_tool(tool).main()
        error = capsys.readouterr().err
        assert 'Traceback' not in error, error
        return stop.value.code, error.strip().splitlines()[-1]

    return run


PIPELINE = 'train_dataloader.dataset.pipeline'
WRONG = {
    'train_dataloader.batch_size=0': r'batch_size=0: set it to a whole number of 1',
    'train_dataloader.batch_size=two': r"batch_size='two': set it to a whole number",
    'train_dataloader.num_workers=-1': r'num_workers=-1: set it to a whole number of 0',
    f'{PIPELINE}.0.clip_len=0': r'SampleClip: clip_len=0',
    f'{PIPELINE}.0.type=NoSuchTransform': 'NoSuchTransform is not in the mmaction',
    'train_dataloader.dataset.split=training': r"split='training': must be",
    'train_dataloader.dataset.no_such=1': 'no_such',
    'model.backbone.no_such=1': 'no_such',
    'model.neck.lifting.num_heads=3': r'num_heads|divisible',
    'model.cls_head=5': r'cfg should be a dict',
    'optim_wrapper.optimizer.lr=-1': 'Invalid learning rate: -1',
    'optim_wrapper.type=NoSuchWrapper': 'NoSuchWrapper',
    'param_scheduler.0.no_such=1': 'no_such',
    'train_cfg.max_epochs=many': 'TypeError|ValueError',
    'load_from=absent.pth': r'absent\.pth',
    'default_hooks.checkpoint.save_best=5': 'save_best|str',
}


@pytest.mark.parametrize('option', WRONG)
def test_a_wrong_value_takes_one_line(call, option):
    code, said = call('train.py', options=[option])
    assert code == 2
    assert re.search(WRONG[option], said), said


@pytest.mark.parametrize(
    ('text', 'message'),
    [
        ('model = dict(', 'SyntaxError'),
        ('model = nothing', 'nothing'),
        ("_base_ = ['absent.py']", 'absent.py'),
        ('', 'must contain the key "type"'),
    ],
)
def test_a_wrong_config_takes_one_line(call, tmp_path, text, message):
    path = tmp_path / 'wrong.py'
    path.write_text(text)
    code, said = call('train.py', config=path)
    assert code == 2 and re.search(message, said), said


def test_a_wrong_value_of_testing(call, tmp_path):
    checkpoint = tmp_path / 'a.pth'
    checkpoint.write_bytes(b'no archive')
    options = ['test_evaluator.type=NoSuchMetric']
    code, said = call('test.py', checkpoint, options=options)
    assert code == 2 and 'NoSuchMetric' in said


def test_the_traceback_is_there_for_who_wants_it(call, monkeypatch):
    monkeypatch.setenv(TRACEBACK, '1')
    with pytest.raises(ValueError, match='Invalid learning rate'):
        call('train.py', options=['optim_wrapper.optimizer.lr=-1'])


#: MMAction2's pipelines of SlowOnly, as its configs have them.
STOCK_TRAIN = [
    dict(type='DecordInit'),
    dict(type='SampleFrames', clip_len=8, frame_interval=8, num_clips=1),
    dict(type='DecordDecode'),
    dict(type='Resize', scale=(-1, 256)),
    dict(type='RandomResizedCrop'),
    dict(type='Resize', scale=(224, 224), keep_ratio=False),
    dict(type='Flip', flip_ratio=0.5),
    dict(type='FormatShape', input_format='NCTHW'),
    dict(type='PackActionInputs'),
]
STOCK_TEST = [
    dict(type='DecordInit'),
    dict(
        type='SampleFrames', clip_len=8, frame_interval=8, num_clips=10, test_mode=True
    ),
    dict(type='DecordDecode'),
    dict(type='Resize', scale=(-1, 256)),
    dict(type='ThreeCrop', crop_size=256),
    dict(type='FormatShape', input_format='NCTHW'),
    dict(type='PackActionInputs'),
]


def loader(pipeline, wrapped=False):
    dataset = dict(type='VideoDataset', pipeline=pipeline)
    if wrapped:
        dataset = dict(type='RepeatDataset', times=2, dataset=dataset)
    return dict(dataset=dataset)


def ours(frames, size, resize='ResizeClip', **crop):
    return [
        dict(type='SampleClip', clip_len=frames, test_mode=True),
        dict(type='LoadFrames'),
        dict(type=resize, size=size),
        *([dict(type='ThreeCrop', **crop)] if crop else []),
        dict(type='FormatShape', input_format='NCTHW'),
        dict(type='PackActionInputs'),
    ]


FRAMES = [
    dict(type='SampleFrames', clip_len=1, frame_interval=1, num_clips=8),
    dict(type='RawFrameDecode'),
    dict(type='Resize', scale=(64, 48), keep_ratio=False),
    dict(type='FormatShape', input_format='NCHW'),
    dict(type='PackActionInputs'),
]


@pytest.mark.parametrize(
    'pipeline, wrapped, shape',
    [
        (ours(16, 32), False, (16, 32, 32)),
        (ours(6, (24, 32), 'RandomResizedCropClip'), True, (6, 24, 32)),
        (STOCK_TRAIN, False, (8, 224, 224)),
        (STOCK_TEST, True, (8, 256, 256)),
        (FRAMES, False, (8, 48, 64)),  # single frames, of a Recognizer2D
        # Of the videos' own size, or of a transform that wants more than frames.
        (STOCK_TEST[:3] + STOCK_TEST[5:], False, None),
        ([dict(type='AudioFeatureSelector')], False, None),
        (None, False, None),
    ],
)
def test_a_pipeline_tells_the_shape(pipeline, wrapped, shape):
    cfg = Config(dict(train_dataloader=loader(pipeline, wrapped)))
    assert clip_shape(cfg, 'train_dataloader') == shape


def test_without_a_loader_there_is_no_shape():
    assert clip_shape(Config(dict(val_dataloader=None)), 'val_dataloader') is None


@pytest.mark.parametrize(
    'name', ['ifdd_vit_sample', 'ifdd_slowonly_dfew', 'ifdd_tsm_dfew', 'ifdd_vit_mafw']
)
def test_the_configs_of_the_project_fit(name):
    cfg = Config.fromfile(ROOT / f'configs/{name}.py', import_custom_modules=False)
    shapes = {clip_shape(cfg, f'{split}_dataloader') for split in ('train', 'test')}
    assert shapes == {tuple(cfg.model.neck.get('clip_shape') or shapes.copy().pop())}
    check_clip_shapes(cfg, ('train_dataloader', 'test_dataloader'))


def run(name, test, **neck):
    """Return the config of a run at tiny size, 8 frames and 32 pixels or so."""
    size = CASES[name].size
    cfg = Config(
        dict(
            model=model(name, **neck),
            train_dataloader=loader(ours(8, size)),
            val_dataloader=loader(ours(8, size)),
            test_dataloader=loader(test),
        )
    )
    return cfg, size


@pytest.mark.parametrize('name', ['ResNet3dSlowOnly', 'ResNet3dSlowFast'])
@pytest.mark.parametrize('given', [True, False])
def test_a_test_that_crops_larger_than_the_training_is_refused(name, given):
    size = CASES[name].size
    cfg, _ = run(name, ours(8, 2 * size, crop_size=2 * size))
    if not given:  # the sizes of the neck are written down
        infer_neck(cfg.model)
        del cfg.model.neck['clip_shape']
    before = cfg.model.to_dict()
    with pytest.raises(InputError) as refused:
        check_clip_shapes(
            cfg, ('train_dataloader', 'val_dataloader', 'test_dataloader')
        )
    message = str(refused.value)
    assert '\n' not in message
    assert (
        f'test_dataloader: the pipeline makes clips of (T, H, W) = (8, {2 * size}, '
        in (message)
    )
    assert f'Resize and crop to (8, {size}, {size})' in message
    check_clip_shapes(cfg, ('train_dataloader', 'val_dataloader'))
    assert cfg.model.to_dict() == before


def test_what_takes_every_size_is_not_refused():
    size = CASES['ResNet3dSlowOnly'].size
    larger = ours(8, 2 * size, crop_size=2 * size)
    cfg, _ = run('ResNet3dSlowOnly', larger, lifting=dict(compress=False))
    check_clip_shapes(cfg, ('test_dataloader',))
    cfg, _ = run('ResNet3dSlowOnly', larger)
    cfg.model.pop('neck')  # MMAction2's own head averages
    check_clip_shapes(cfg, ('test_dataloader',))
