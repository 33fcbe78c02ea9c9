"""The whole model: the authors' numbers, its size, and MMAction2's recognizer."""

import json
from contextlib import contextmanager

import pytest
import torch
from mmaction.registry import MODELS
from mmaction.structures import ActionDataSample
from mmengine.config import Config
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.utils.flop_counter import FlopCounterMode

from tests.helpers.golden import (
    FOLDER,
    ROOT,
    assert_gradients,
    load_golden,
    load_tool,
    pick,
)
from tests.helpers.numeric import assert_close, depth_of


def mini_model(scales=(2, 3), **neck):
    """The tiny model of the golden data: 8 x 64 x 64 input, 4 x 2 x 2 final tokens."""
    arch = dict(embed_dims=8, num_layers=10, num_heads=1, downscale_indices=[1, 3, 8])
    split = dict(type='ISSM', align_corners=False)
    return MODELS.build(
        dict(
            type='Recognizer3D',
            backbone=dict(
                type='PyramidMViT',
                arch=arch,
                spatial_size=64,
                temporal_size=8,
                out_scales=scales,
            ),
            neck=dict(
                type='IFDDNeck',
                in_channels=[8 * 2**scale for scale in scales],
                input_size=(4, 2, 2),
                split=split,
                lifting=dict(type='LADM', drop_path=0.0),
            )
            | neck,
            cls_head=dict(
                type='IFDDHead',
                num_classes=7,
                in_channels=64,
                dropout_ratio=0.0,
                loss_cls=dict(type='DisentanglementLoss', reduction='batch_sum'),
            ),
        )
    )


@contextmanager
def counted():
    """Count operations of sizes alone, without their arithmetic."""
    sizes = FakeTensorMode(allow_non_fake_inputs=True)
    with torch.no_grad(), sizes, FlopCounterMode(display=False) as counter:
        yield counter


def samples(labels):
    return [ActionDataSample().set_gt_label(label) for label in labels]


def test_equals_the_authors_model_and_all_its_gradients():
    golden = load_golden('mini_full')
    convert = load_tool('convert/from_authors.py').from_authors
    model = mini_model().double()
    model.load_state_dict(convert(pick(golden, 'state/')))
    depth, x = depth_of(model), golden['x'].double()
    losses = model.loss(x[:, None], samples(golden['target']))
    assert_close(losses['loss_cls'], golden['ce'], depth)
    assert_close(losses['loss_context'], golden['lift'], depth)
    sum(v for k, v in losses.items() if 'loss' in k).backward()
    assert_gradients(model, convert(pick(golden, 'grad/')), depth)

    feature, _ = model.eval().extract_feat(x[:, None], test_mode=True)
    assert feature.shape == (2, 64, 1, 1, 1)
    assert_close(feature.flatten(1), golden['x_d'], depth)
    assert_close(model.cls_head(feature), golden['logits'], depth)
    for stage, name in zip(model.backbone(x), ('stage2', 'stage3'), strict=True):
        tokens = golden[name][:, 1:].transpose(1, 2).view_as(stage)
        assert_close(stage, tokens, depth_of(model.backbone))


@pytest.fixture(scope='module')
def dfew_model():
    torch.manual_seed(0)
    cfg = Config.fromfile(ROOT / 'configs' / 'ifdd_vit_dfew.py')
    model = MODELS.build(cfg.model)
    model.init_weights()
    return model


def test_the_dfew_model_has_the_authors_size_less_their_dead_parameters(dfew_model):
    assert sum(p.numel() for p in dfew_model.parameters()) == 37_532_498


def test_the_dfew_model_costs_what_the_authors_does():
    cfg = Config.fromfile(ROOT / 'configs' / 'ifdd_vit_dfew.py').model
    # The counter does not know the fused attention kernel of a CPU.
    cfg.backbone.fused = False
    model = MODELS.build(cfg).eval()
    with counted() as counter:
        feature, _ = model.extract_feat(torch.rand(1, 1, 3, 16, 224, 224))
        model.cls_head(feature)
    assert counter.get_total_flops() / 2e9 == pytest.approx(47.86, rel=0.01)


def test_initial_weights_have_the_authors_statistics(dfew_model):
    convert = load_tool('convert/from_authors.py')
    expected = json.loads((FOLDER / 'init_stats_seed0.json').read_text())
    parameters = dict(dfew_model.named_parameters())
    seen = set()
    for key, stats in expected.items():
        name = convert.our_key(key)
        if name is None:
            continue
        seen.add(name)
        value, std = parameters[name].detach(), stats['std']
        # Both are draws of n numbers: the mean is off by std / sqrt(n), the std by
        # std / sqrt(2 n) (and less where the tails are cut); allow five of them.
        n = value.numel()
        error = 5 * std / n**0.5 + 1e-7
        assert value.mean().item() == pytest.approx(stats['mean'], abs=2 * error), name
        if n > 1:
            found = value.std(unbiased=False).item()
            assert found == pytest.approx(std, abs=2 * error), name
    assert seen == parameters.keys()


@pytest.mark.parametrize('labels', [[0, 3], [6]])
def test_every_parameter_gets_a_gradient(labels):
    model = mini_model()
    losses = model.loss(torch.rand(len(labels), 1, 3, 8, 64, 64), samples(labels))
    assert {'loss_cls', 'loss_context', 'top1_acc'} == losses.keys()
    sum(v for k, v in losses.items() if 'loss' in k).backward()
    assert [n for n, p in model.named_parameters() if p.grad is None] == []


@pytest.mark.parametrize('views', [1, 3])
@pytest.mark.parametrize('max_views', [None, 2])
def test_predicts_under_the_stock_recognizer(views, max_views):
    model = mini_model().double().eval()
    model.test_cfg = dict(max_testing_views=max_views)
    with torch.no_grad():
        inputs = torch.rand(1, views, 3, 8, 64, 64, dtype=torch.double)
        (sample,) = model(inputs, samples([2]), mode='predict')
        feature, _ = model.extract_feat(inputs)
        logits = model.cls_head(feature)
    assert_close(sample.pred_score, logits.mean(0), depth_of(model))


def test_a_stock_head_trains_behind_the_neck():
    model = mini_model()
    head = dict(type='I3DHead', num_classes=7, in_channels=64, topk=(1,))
    model.cls_head = MODELS.build(head)
    losses = model.loss(torch.rand(2, 1, 3, 8, 64, 64), samples([0, 1]))
    _, logged = model.parse_losses(losses)
    assert {'loss', 'loss_cls', 'context_gap'} <= logged.keys()


def test_bfloat16_scores_come_out_as_float32():
    model = mini_model().eval()
    with torch.no_grad(), torch.autocast('cpu', torch.bfloat16):
        inputs = torch.rand(1, 1, 3, 8, 64, 64)
        (sample,) = model(inputs, samples([2]), mode='predict')
    assert sample.pred_score.dtype == torch.float32


def test_the_head_names_a_wrong_number_of_channels():
    head = MODELS.build(dict(type='IFDDHead', num_classes=7, in_channels=8))
    with pytest.raises(ValueError, match='set in_channels to 4'):
        head(torch.zeros(2, 4, 1, 1, 1))


def test_the_model_for_32_frames_has_the_same_tokens_and_parameters():
    cfg = Config.fromfile(ROOT / 'configs' / 'ifdd_vit_dfew.py').model
    cfg.backbone.temporal_pool = 2
    cfg.cls_head.num_classes = 11
    cfg.data_preprocessor.blending = None  # draws numbers, which 'meta' has none of
    with torch.device('meta'):
        model = MODELS.build(cfg).eval()
        # The authors' model for MAFW, less the dead parameters.
        assert sum(p.numel() for p in model.parameters()) == 37_580_199 - 44_625
        levels = model.backbone(torch.rand(1, 3, 32, 224, 224))
    shapes = [tuple(level.shape) for level in levels]
    assert shapes == [(1, 384, 8, 14, 14), (1, 768, 8, 7, 7)]


@pytest.mark.parametrize(
    'neck, parameters, gmac', [(True, 40_452_754, 44.84), (False, 33_169_863, 43.22)]
)
def test_size_and_cost_of_the_cnn_model_and_of_its_backbone(neck, parameters, gmac):
    cfg = Config.fromfile(ROOT / 'configs' / 'ifdd_cnn_dfew.py').model
    if not neck:
        cfg.pop('neck')
    model = MODELS.build(cfg).eval()
    assert sum(p.numel() for p in model.parameters()) == parameters
    with counted() as counter:
        feature, _ = model.extract_feat(torch.rand(1, 1, 3, 16, 224, 224))
        model.cls_head(feature if neck else feature[-1])
    assert counter.get_total_flops() / 2e9 == pytest.approx(gmac, rel=0.001)


def test_every_parameter_of_the_cnn_model_gets_a_gradient():
    cfg = Config.fromfile(ROOT / 'configs' / 'ifdd_cnn_dfew.py').model
    cfg.neck.input_size = (4, 2, 2)
    model = MODELS.build(cfg)
    losses = model.loss(torch.rand(1, 1, 3, 8, 64, 64), samples([4]))
    sum(v for k, v in losses.items() if 'loss' in k).backward()
    assert [n for n, p in model.named_parameters() if p.grad is None] == []
