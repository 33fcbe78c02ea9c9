"""What the neck knows from its backbone, and which wrong values are refused."""

from copy import deepcopy

import pytest
import torch
from mmaction.registry import MODELS
from mmengine.config import ConfigDict

from ifdd_mmaction.models import infer_neck
from tests.models.backbone_matrix import CASES, inputs, samples


def model(name='ResNet3dSlowOnly', **neck):
    case = CASES[name]
    return ConfigDict(
        type=case.recognizer,
        backbone=case.make(8),
        neck=dict(type='IFDDNeck', clip_shape=(8, case.size, case.size), **neck),
        cls_head=dict(type='IFDDHead', num_classes=7),
    )


@pytest.mark.parametrize(
    'name, neck, inferred',
    [
        ('ResNet3dSlowOnly', {}, ([32, 64], [8, 2, 2], [2, 1], None, 64)),
        ('X3D', {}, ([288], [8, 2, 2], None, None, 288)),
        # The fast pathway first: it has more frames.
        ('ResNet3dSlowFast', {}, ([32, 128], [2, 2, 2], [1, 1], None, 128)),
        ('ResNet', {}, ([64, 128], [8, 4, 4], [2, 1], 8, 128)),
        ('ResNet', dict(aggregation=None), ([128], [8, 4, 4], None, 8, 128)),
        (
            'ResNet3dSlowOnly',
            dict(aggregation=dict(stages=[1], out_channels=16)),
            ([64], [8, 2, 2], None, None, 16),
        ),
    ],
)
def test_what_the_config_leaves_out_is_inferred(name, neck, inferred):
    cfg = model(name, **neck)
    infer_neck(cfg)
    strides = (cfg.neck.get('aggregation') or {}).get('strides')
    found = (
        cfg.neck.in_channels,
        cfg.neck.input_size,
        strides,
        cfg.neck.get('num_segments'),
        cfg.cls_head.in_channels,
    )
    assert found == inferred
    again = deepcopy(cfg)
    infer_neck(again)
    assert again == cfg


@pytest.mark.parametrize(
    'name, neck, message',
    [
        ('X3D', dict(in_channels=[144, 288]), r'in_channels=\[144, 288\].* \[288\]'),
        ('X3D', dict(input_size=(8, 7, 7)), r'input_size=.*it is \[8, 2, 2\]'),
        (
            'ResNet3dSlowOnly',
            dict(aggregation=dict(strides=[4, 1])),
            r'aggregation.strides=\[4, 1\].* \[2, 1\]',
        ),
        ('ResNet', dict(num_segments=4), 'num_segments=4.* it is 8'),
        ('X3D', dict(aggregation=dict(stages=[2, 3])), r'returns 1 level.*out_indices'),
    ],
)
def test_a_wrong_value_is_refused_with_the_right_one(name, neck, message):
    with pytest.raises(ValueError, match=message):
        infer_neck(model(name, **neck))


@pytest.mark.parametrize(
    'name, backbone, message',
    [
        ('ResNet', dict(out_indices=(1,)), 'out_indices'),
        ('ResNetTSM', dict(temporal_pool=True), 'temporal_pool=False'),
        ('VisionTransformer', dict(return_feat_map=False), 'return_feat_map=True'),
        ('ResNet', dict(type='torchvision.resnet18'), 'TimmPyramid'),
        ('TimeSformerMap', dict(type='TimeSformer'), 'TimeSformerMap'),
        ('UniFormerV2Map', dict(type='UniFormerV2'), 'UniFormerV2Map'),
    ],
)
def test_a_backbone_without_a_pyramid_is_told_what_to_set(name, backbone, message):
    cfg = model(name)
    cfg.backbone.update(backbone)
    with pytest.raises(ValueError, match=message):
        infer_neck(cfg)


def test_a_neck_that_nobody_inferred_says_what_to_write():
    with pytest.raises(ValueError, match=r'in_channels=None.*clip_shape'):
        MODELS.build(model().neck)


def test_configs_without_the_neck_are_left_alone():
    for cfg in (ConfigDict(type='Recognizer3D', backbone={}), model()):
        cfg.pop('neck', None)
        before = deepcopy(cfg)
        infer_neck(cfg)
        assert cfg == before


def test_a_single_map_of_a_2d_backbone_is_refused_at_run_time_too():
    cfg = model('ResNet')
    infer_neck(cfg)
    cfg.backbone.out_indices = (1,)
    recognizer = MODELS.build(cfg)
    with pytest.raises(ValueError, match='out_indices'):
        recognizer(inputs(CASES['ResNet'], 8, 1), samples([0]), mode='predict')


def test_segments_that_do_not_divide_the_time_axis_are_refused():
    cfg = model('ResNet')
    infer_neck(cfg)
    recognizer = MODELS.build(cfg).eval()
    with pytest.raises(ValueError, match=r'num_segments=8.*num_segments of the neck'):
        recognizer(torch.rand(1, 12, 3, 32, 32), samples([0]), mode='predict')
