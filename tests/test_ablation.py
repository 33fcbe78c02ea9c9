"""Every ablation config changes the model alone, and its model trains one step."""

import pytest
import torch
from mmaction.registry import MODELS
from mmaction.structures import ActionDataSample
from mmengine.config import Config

from tests.helpers.golden import ROOT

pytestmark = pytest.mark.slow

CONFIGS = ROOT / 'configs'
LEAVES = sorted(path.stem for path in (CONFIGS / 'ablation').glob('*.py'))
#: The sample's backbone has two stages.
CASES = [
    (base, leaf)
    for base in ('ifdd_vit_dfew', 'ifdd_vit_sample')
    for leaf in LEAVES
    if not (base == 'ifdd_vit_sample' and leaf.startswith('stages'))
] + [('ifdd_cnn_sample', leaf) for leaf in ('components_all', 'lifting_attention')]


@pytest.fixture
def cfg(base, leaf, monkeypatch):
    monkeypatch.setenv('IFDD_BASE', base)
    return Config.fromfile(CONFIGS / 'ablation' / f'{leaf}.py')


def shrink(model, base):
    """Make a base's model tiny, for clips of 16 x 32 x 32."""
    if base.endswith('sample'):
        model.neck.input_size = (8, 2, 2)
    if base == 'ifdd_cnn_sample':
        return
    model.backbone.spatial_size = 32
    if base == 'ifdd_vit_sample':
        return
    arch = dict(embed_dims=8, num_layers=4, num_heads=1, downscale_indices=[1, 2, 3])
    model.backbone.arch = arch
    model.neck.in_channels = [channels // 12 for channels in model.neck.in_channels]
    model.neck.input_size = (8, 1, 1)
    model.cls_head.in_channels //= 12


def batch():
    clips = torch.randint(256, (2, 1, 3, 16, 32, 32), dtype=torch.uint8)
    samples = [ActionDataSample().set_gt_label(label) for label in (1, 5)]
    return dict(inputs=list(clips), data_samples=samples)


@pytest.mark.parametrize('base, leaf', CASES)
def test_one_step_trains_every_parameter(base, leaf, cfg):
    shrink(cfg.model, base)
    model = MODELS.build(cfg.model)
    inputs = model.data_preprocessor(batch(), training=True)
    losses = model(**inputs, mode='loss')
    loss, logged = model.parse_losses(losses)
    assert all(torch.isfinite(value).all() for value in logged.values())
    loss.backward()
    assert [n for n, p in model.named_parameters() if p.grad is None] == []

    has_constraint = leaf not in ('components_backbone', 'components_aggregation')
    assert ('loss_context' in logged) == has_constraint
    with torch.no_grad():
        model.eval()
        inputs = model.data_preprocessor(batch())
        predictions = model(**inputs, mode='predict')
    assert [len(sample.pred_score) for sample in predictions] == [7, 7]


@pytest.mark.parametrize('leaf', LEAVES)
@pytest.mark.parametrize('base', ['ifdd_vit_dfew'])
def test_a_leaf_changes_the_model_alone_and_builds_at_real_size(base, leaf, cfg):
    expected = Config.fromfile(CONFIGS / f'{base}.py')
    changed = {k for k in cfg.keys() | expected.keys() if cfg.get(k) != expected.get(k)}
    assert changed <= {'model'}
    cfg.model.data_preprocessor = None
    with torch.device('meta'):
        MODELS.build(cfg.model)


@pytest.mark.parametrize('base', ['ifdd_vit_dfew'])
@pytest.mark.parametrize('leaf', [
    'components_all',
    'split_interpolation',
    'receptive_field_2',
    'loss_weight_0.1',
    'stages_23',
])  # fmt: skip
def test_what_says_to_be_the_base_is_the_base(base, leaf, cfg):
    models = []
    for config in (cfg, Config.fromfile(CONFIGS / f'{base}.py')):
        shrink(config.model, base)
        models.append(MODELS.build(config.model))
    assert str(models[0]) == str(models[1])
    weights = [model.cls_head.loss_cls.loss_weight for model in models]
    fields = [model.neck.split.receptive_field for model in models]
    assert weights == [0.1, 0.1] and fields == [2.0, 2.0]
