"""The shape of clips from pipelines alone, and the refusal of what no neck takes."""

import pytest
from mmengine.config import Config

from ifdd_mmaction.engine import check_clip_shapes, clip_shape
from ifdd_mmaction.errors import InputError
from ifdd_mmaction.models import infer_neck
from tests.golden import ROOT
from tests.models.backbone_matrix import CASES
from tests.models.test_infer_neck import model

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
