"""The parts of the neck, left out or changed one by one."""

import pytest
import torch
from mmaction.registry import MODELS

from ifdd_mmaction.errors import InputError
from ifdd_mmaction.models.necks import IFDDNeck, IntervalSplit, NoLifting
from ifdd_mmaction.models.necks.ladm import context_gap
from tests.helpers.golden import load_golden, ours, pick
from tests.helpers.numeric import assert_close, depth_of

T, H, W = SIZE = (4, 3, 2)
CHANNELS = [6, 8]


def neck(**parts):
    return MODELS.build(
        dict(type='IFDDNeck', in_channels=CHANNELS, input_size=SIZE)
        | dict(lifting=dict(type='LADM', num_heads=2, drop_path=0.0))
        | parts
    )


def pyramid(batch=2):
    return (torch.randn(batch, 6, T, 2 * H, 2 * W), torch.randn(batch, 8, T, H, W))


def test_without_aggregation_the_last_stage_is_taken():
    module = neck(aggregation=None)
    assert [n for n, _ in module.named_parameters() if 'aggregation' in n] == []
    levels = pyramid()
    for levels_given in (levels, levels[-1:], levels[-1]):
        feature, aux = module(levels_given)
        assert torch.equal(feature, module(levels)[0])
        gap = context_gap(levels[-1], module.lifting(*module.split(levels[-1]))[1])
        assert torch.equal(aux['context_gap'], gap)


def test_without_split_the_lifting_gets_even_and_odd_frames():
    module = neck(split=None)
    assert isinstance(module.split, IntervalSplit)
    levels = pyramid()
    x = module.aggregation(levels)
    vector, _ = module.lifting(x[:, :, 0::2], x[:, :, 1::2])
    assert torch.equal(module(levels)[0].flatten(1), vector)


def test_without_lifting_it_equals_the_authors_split_alone():
    golden = load_golden('onlysplit')
    split = dict(type='ISSM', align_corners=False)
    parts = dict(aggregation=None, split=split, lifting=None)
    options = dict(in_channels=[16], input_size=(8, 3, 3), **parts)
    module = MODELS.build(dict(type='IFDDNeck', **options)).double()
    assert isinstance(module.lifting, NoLifting)
    state = pick(golden, 'state/')
    module.load_state_dict(ours(state, 'backbone.WaveLifts.', 'neck.'))
    x = golden['x'].double().transpose(1, 2).reshape(2, 16, 8, 3, 3)
    feature, aux = module(x)
    assert_close(feature.flatten(1), golden['x_d'], depth_of(module))
    assert_close(aux['context_gap'], golden['pool_a'], depth_of(module))


def test_with_neither_the_aggregated_map_comes_out():
    module = neck(split=None, lifting=None)
    levels = pyramid()
    feature, aux = module(levels)
    assert aux == {}
    assert torch.equal(feature, module.aggregation(levels))
    bare = neck(aggregation=None, split=None, lifting=None)
    assert bare(levels)[0] is levels[-1] and not list(bare.parameters())


@pytest.mark.parametrize('lifting', [
    dict(type='LADM', num_heads=2),
    dict(type='LADM', num_heads=2, update_first=False),
    dict(type='LADM', num_heads=2, output_attention=False, value_residual=False),
    dict(type='LADM', num_heads=2, norm=False, compress=False),
    dict(type='ConvLADM'),
    None,
], ids=str)  # fmt: skip
@pytest.mark.parametrize(
    'split', ['ISSM', 'IntervalSplit', 'EvidenceSplit', 'TopKSplit', 'WeightingSplit']
)
@pytest.mark.parametrize('relaxed', [True, False])
def test_parts_combine_and_every_parameter_is_trained(lifting, split, relaxed):
    if lifting and lifting['type'] == 'LADM':
        lifting = dict(lifting, drop_path=0.0)
    module = neck(split=dict(type=split), lifting=lifting, relaxed=relaxed)
    feature, aux = module(pyramid())
    gap = aux['context_gap']
    assert feature.shape == (2, 8, 1, 1, 1)
    assert gap.shape == ((2, H, W) if relaxed else (2, 8, T // 2, H, W))
    # With weight 0 the constraint still reaches what it alone trains.
    (feature.square().sum() + 0.0 * gap.square().sum()).backward()
    assert [n for n, p in module.named_parameters() if p.grad is None] == []


@pytest.mark.parametrize('parts, constrained', [
    ({}, set()),
    (dict(lifting=dict(type='ConvLADM')), set()),
    (
        dict(lifting=dict(type='LADM', num_heads=2, update_first=False)),
        {'lifting.updater'},
    ),
    (dict(lifting=None), set()),
    (dict(split=dict(type='TopKSplit'), lifting=None), set()),
], ids=str)  # fmt: skip
def test_what_only_the_constraint_trains(parts, constrained):
    module = neck(**parts)
    feature, _ = module(pyramid())
    feature.square().sum().backward()
    missing = {
        '.'.join(n.split('.')[:2])
        for n, p in module.named_parameters()
        if p.grad is None
    }
    assert missing == constrained


def test_a_config_is_left_as_it_was():
    split = dict(type='ISSM')
    config = dict(type='IFDDNeck', in_channels=CHANNELS, input_size=SIZE, split=split)
    lifting = dict(type='LADM', num_heads=2)
    for _ in range(2):
        MODELS.build({**config, 'lifting': lifting})
    assert split == dict(type='ISSM') and lifting == dict(type='LADM', num_heads=2)


def test_a_frozen_aggregation_is_neither_trained_nor_in_the_mode_of_training():
    module = neck(frozen_aggregation=True).train()
    assert not any(part.training for part in module.aggregation.modules())
    assert module.split.training and module.lifting.training
    feature, _ = module(pyramid())
    feature.square().sum().backward()
    trained = {n for n, p in module.named_parameters() if p.grad is not None}
    assert trained and not any(name.startswith('aggregation') for name in trained)


def test_an_absent_aggregation_cannot_be_frozen():
    with pytest.raises(InputError, match='there is no aggregation to freeze'):
        IFDDNeck([8], (4, 2, 2), aggregation=None, frozen_aggregation=True)
