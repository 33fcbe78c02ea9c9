"""What the neck knows from its backbone, and which wrong values are refused."""

import random
from copy import deepcopy

import numpy as np
import pytest
import torch
from mmaction.apis import init_recognizer
from mmaction.models import BaseRecognizer, Recognizer3D
from mmaction.registry import MODELS
from mmengine.config import Config, ConfigDict
from mmengine.model import BaseModel, ExponentialMovingAverage
from mmengine.registry import MODELS as ROOT_MODELS
from torch import nn

from ifdd_mmaction.errors import InputError
from ifdd_mmaction.models import infer_neck
from ifdd_mmaction.models.heads import IFDDHead
from ifdd_mmaction.models.infer_neck import infer_at_build
from ifdd_mmaction.models.necks import IFDDNeck
from tests.helpers.backbone_matrix import CASES, inputs, samples


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


def test_a_neck_alone_says_what_to_write():
    with pytest.raises(InputError, match=r'in_channels=None.*clip_shape'):
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
    del cfg.neck['clip_shape']
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


# --- a recognizer with nothing but clip_shape ---------------------------------------

#: Of frames, of clips, and two transformers.
KINDS = ('ResNetTSM', 'ResNet3dSlowOnly', 'MViT', 'VisionTransformer')


def drawn():
    """Return what each global generator draws next."""
    return random.random(), np.random.rand(), torch.rand(1).item()


def build(cfg, registry=MODELS):
    """Build a model after seeding; return it and what is drawn afterwards."""
    random.seed(0)
    np.random.seed(0)
    torch.manual_seed(0)
    built = registry.build(cfg)
    built.init_weights()
    return built, drawn()


def numbers_written(cfg):
    """Return a config with the numbers in place of ``clip_shape``."""
    cfg = deepcopy(cfg)
    infer_neck(cfg)
    del cfg.neck['clip_shape']
    return cfg


def assert_same_weights(one, other):
    one, other = one.state_dict(), other.state_dict()
    assert list(one) == list(other)
    assert all(torch.equal(one[key], other[key]) for key in one)


@pytest.mark.parametrize(
    'registry', [MODELS, ROOT_MODELS], ids=['mmaction', 'mmengine']
)
@pytest.mark.parametrize('name', KINDS)
def test_clip_shape_gives_the_model_of_the_written_numbers(name, registry):
    cfg = model(name)
    if name == 'ResNetTSM':  # nothing to fetch
        cfg.backbone.update(pretrained=None, pretrained2d=False)
    before = deepcopy(cfg)
    inferred, after = build(cfg, registry)
    assert cfg == before
    written, expected = build(numbers_written(cfg), registry)
    assert_same_weights(inferred, written)
    assert after == expected
    clips = inputs(CASES[name], 8, 2)
    losses = inferred(clips, samples([0, 1]), mode='loss')
    assert {'loss_cls', 'loss_context'} <= losses.keys()


def test_plain_dicts_and_classes_are_taken_as_types():
    class OwnNeck(IFDDNeck):
        pass

    cfg = model().to_dict()
    parts = dict(
        neck=dict(cfg['neck'], type=OwnNeck),
        cls_head=dict(cfg['cls_head'], type=IFDDHead),
    )
    recognizer = Recognizer3D(cfg['backbone'], parts['cls_head'], parts['neck'])
    assert isinstance(recognizer.neck, OwnNeck)
    assert recognizer.cls_head.in_channels == 64
    assert 'in_channels' not in parts['neck'] and 'in_channels' not in parts['cls_head']


def test_a_head_of_mmaction2_and_no_head_are_built_as_they_are():
    cfg = model()
    cfg.cls_head = dict(type='I3DHead', num_classes=7, in_channels=64)
    head = MODELS.build(cfg).cls_head
    assert type(head).__name__ == 'I3DHead' and head.in_channels == 64
    del cfg['cls_head']
    assert not MODELS.build(cfg).with_cls_head


@MODELS.register_module()
class DrawingBackbone(nn.Module):
    """Draws random numbers whenever it runs."""

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv3d(3, 8, 1)

    def forward(self, x):
        drawn()
        return self.conv(x)


def test_what_a_backbone_draws_while_it_is_run_changes_nothing():
    cfg = model()
    cfg.backbone = dict(type='DrawingBackbone')
    inferred, after = build(cfg)
    written, expected = build(numbers_written(cfg))
    assert_same_weights(inferred, written)
    assert after == expected
    torch.manual_seed(0)
    infer_neck(deepcopy(cfg))  # builds a backbone, too
    found = torch.rand(1)
    torch.manual_seed(0)
    assert torch.equal(found, torch.rand(1))


@pytest.mark.parametrize(
    'name, backbone, neck, message',
    [
        ('X3D', {}, dict(input_size=(8, 7, 7)), r'neck.input_size=.*it is \[8, 2, 2\]'),
        ('X3D', {}, dict(clip_shape=(8, 64)), r'neck\.clip_shape=\(8, 64\): give \(T,'),
        ('ResNet', dict(out_indices=(1,)), {}, 'out_indices'),
        ('ResNet', dict(type='torchvision.resnet18'), {}, 'TimmPyramid'),
    ],
)
def test_what_does_not_fit_is_refused_when_the_recognizer_is_built(
    name, backbone, neck, message
):
    cfg = model(name)
    cfg.backbone.update(backbone)
    cfg.neck.update(neck)
    with pytest.raises(InputError, match=message):
        MODELS.build(cfg)


def test_copies_averages_and_wrappers_hold_the_same_neck():
    recognizer = MODELS.build(model())

    class Outer(BaseModel):
        def __init__(self, inner):
            super().__init__()
            self.inner = MODELS.build(inner)

        def forward(self, inputs, data_samples=None, mode='tensor'):
            return self.inner(inputs, data_samples, mode)

    assert_same_weights(deepcopy(recognizer), recognizer)
    assert_same_weights(ExponentialMovingAverage(recognizer).module, recognizer)
    outer = Outer(model())
    assert outer.inner.state_dict().keys() == recognizer.state_dict().keys()
    clips = inputs(CASES['ResNet3dSlowOnly'], 8, 1)
    assert outer(clips, samples([0]), 'predict')[0].pred_score.shape == (7,)


def test_a_neck_takes_initial_weights_of_a_file(tmp_path):
    trained = MODELS.build(model())
    torch.save(trained.state_dict(), tmp_path / 'a.pth')
    init = dict(type='Pretrained', checkpoint=str(tmp_path / 'a.pth'), prefix='neck.')
    other, _ = build(model(init_cfg=init))
    assert_same_weights(other.neck, trained.neck)


def test_it_is_installed_once():
    before = BaseRecognizer.__init__
    infer_at_build()
    assert BaseRecognizer.__init__ is before


@pytest.mark.parametrize('name', KINDS)
def test_init_recognizer_takes_a_config_of_clip_shape_alone(name, tmp_path):
    config, weights = tmp_path / 'config.py', tmp_path / 'a.pth'
    Config(dict(model=model(name), default_scope='mmaction')).dump(config)
    trained = MODELS.build(model(name))
    torch.save(dict(state_dict=trained.state_dict()), weights)
    recognizer = init_recognizer(str(config), str(weights), device='cpu')
    assert_same_weights(recognizer, trained)
