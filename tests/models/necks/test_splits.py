"""The four splits of the paper's Fig. 3; index interpolation has test_issm.py."""

import copy
import warnings

import pytest
import torch
from mmaction.registry import MODELS
from mmengine.logging import MMLogger

from ifdd_mmaction.models.necks import ISSM, IntervalSplit, TopKSplit, WeightingSplit
from tests.golden import load_golden, ours, pick
from tests.numeric import assert_close, depth_of

POSITION = dict(position=True, project_scores=True)
EVERY = [
    dict(mode='interpolation'),
    dict(mode='interval'),
    dict(mode='topk'),
    dict(mode='topk', prior_order=False),
    dict(mode='weighting'),
    dict(mode='weighting', position=True),
    dict(mode='weighting', project_scores=True),
    dict(mode='weighting', **POSITION),
]


@pytest.mark.parametrize('name, options', [
    ('issmvar_topk', dict(mode='topk')),
    ('issmvar_topk_noprior', dict(mode='topk', prior_order=False)),
    ('issmvar_weight', dict(mode='weighting')),
    ('issmvar_weight_pos_tproj', dict(mode='weighting', **POSITION)),
])  # fmt: skip
def test_equals_the_authors_module(name, options):
    golden = load_golden(name)
    module = ISSM(8, 8, **options).double()
    state = pick(golden, 'state/')
    theirs = 'backbone.WaveLifts.adapt_split.'
    module.load_state_dict(ours(state, theirs, 'neck.split.'))
    x = golden['x'].double().view(2, 8, 8, 7, 7)
    x_s, x_d = module(x)
    depth = depth_of(module) + x[0, :, 0].numel()  # frames are correlated whole
    for found, expected in ((x_s, golden['x_a']), (x_d, golden['x_d'])):
        assert_close(found.flatten(3), expected, depth)
        if options['mode'] == 'weighting':
            # The frame that wins the softmax hides the others, but no logarithms.
            sizes = [group.flatten(3).abs().amax((1, 3)) for group in (found, expected)]
            normal = sizes[1] > 1e-30  # below, float32 loses digits
            assert_close(*(size[normal].log() for size in sizes), depth)


@pytest.mark.parametrize('mode, kind', [
    ('interval', IntervalSplit),
    ('topk', TopKSplit),
    ('weighting', WeightingSplit),
    ('interpolation', ISSM),
])  # fmt: skip
def test_the_mode_of_a_config_chooses_the_class(mode, kind):
    config = dict(type='ISSM', in_channels=4, num_frames=6, mode=mode)
    module = MODELS.build(config)
    assert type(module) is kind
    x = torch.randn(2, 4, 6, 3, 3)
    for a, b in zip(module(x), copy.deepcopy(module)(x), strict=True):
        assert torch.equal(a, b)


def test_an_unknown_mode_or_an_argument_of_another_mode_is_refused():
    with pytest.raises(ValueError, match=r"mode='random'.*'topk'"):
        ISSM(4, 8, mode='random')
    with pytest.raises(TypeError, match='receptive_field'):
        ISSM(4, 8, mode='topk', receptive_field=1)


@pytest.mark.parametrize('options', EVERY, ids=str)
@pytest.mark.parametrize('t', [1, 2, 5, 8])
@pytest.mark.parametrize('size', [(1, 1), (5, 3), (14, 14)])
def test_any_length_and_size_with_gradients_everywhere(options, t, size):
    module = ISSM(6, t, **options)
    x = torch.randn(2, 6, t, *size, requires_grad=True)
    x_s, x_d = module(x)
    assert x_s.shape == x_d.shape == (2, 6, (t + 1) // 2, *size)
    (x_s.square().sum() + x_d.sum()).backward()
    assert [n for n, p in module.named_parameters() if p.grad is None] == []
    assert x.grad.abs().sum() > 0


@pytest.mark.parametrize('options', EVERY, ids=str)
def test_each_clip_is_split_by_itself(options):
    module = ISSM(6, 8, **options).double()
    x = torch.randn(3, 6, 8, 4, 4, dtype=torch.double)
    together = torch.stack(module(x))
    alone = torch.cat([torch.stack(module(clip[None])) for clip in x], dim=1)
    assert_close(together, alone, depth_of(module) + x[0, :, 0].numel())


@pytest.mark.parametrize('options', EVERY, ids=str)
def test_half_precision_chooses_the_same_frames(options):
    module = ISSM(8, 16, **options)
    x = torch.randn(2, 8, 16, 4, 4)
    expected = module(x)
    with torch.autocast('cpu', torch.bfloat16):
        for a, b in zip(module(x), expected, strict=True):
            assert torch.equal(a, b)
    x_s, _ = module(x.bfloat16())
    assert x_s.dtype == torch.bfloat16


@pytest.mark.parametrize('options', EVERY, ids=str)
@pytest.mark.parametrize('shape', [(2, 5, 8, 3, 3), (2, 4, 6, 3, 3), (2, 4, 8, 3)])
def test_a_wrong_shape_is_named_with_the_argument_to_change(options, shape):
    with pytest.raises(ValueError, match=r'in_channels and num_frames'):
        ISSM(4, 8, **options)(torch.zeros(shape))


@pytest.mark.parametrize('prior_order', [True, False])
@pytest.mark.parametrize('t', [1, 5, 8])
def test_topk_hands_out_every_frame_once_in_order(prior_order, t):
    x = torch.randn(1, 6, t, 2, 2) + torch.arange(t).view(1, 1, t, 1, 1) * 100
    groups = ISSM(6, t, mode='topk', prior_order=prior_order)(x)
    first, second = (
        (group.mean(dim=(1, 3, 4)) / 100).round()[0].tolist() for group in groups
    )
    assert first == sorted(first) and second == sorted(second)
    assert sorted(first + second) == sorted([*range(t), *[t - 1] * (t % 2)])


def test_topk_prefers_even_frames_where_all_are_alike():
    x = torch.randn(1, 3, 1, 4, 4).expand(-1, -1, 6, -1, -1).clone()
    x += 1e-4 * torch.arange(6).view(1, 1, 6, 1, 1)  # to tell them apart
    x_s, _ = ISSM(3, 6, mode='topk')(x)
    assert torch.equal(x_s, x[:, :, 0::2])


def test_the_weights_of_a_clip_sum_to_one():
    module = ISSM(4, 6, mode='weighting', **POSITION).double()
    weights = module.weights(torch.randn(3, 4, 6, 2, 2, dtype=torch.double))
    assert_close(weights.sum(dim=1), torch.ones(3, dtype=torch.double), 6)


@pytest.mark.parametrize('frames', [5, 6])
@pytest.mark.parametrize('options', EVERY)
def test_a_tracer_goes_through(options, frames):
    # MMAction2's own get_flops.py traces a model, which makes tensors of its sizes.
    module = ISSM(4, frames, **options).double().eval()
    x = torch.randn(1, 4, frames, 3, 3, dtype=torch.double)
    with warnings.catch_warnings():
        warnings.simplefilter('ignore')  # that a comparison of sizes is not recorded
        traced = torch.jit.trace(module, x)
    for a, b in zip(traced(x), module(x), strict=True):
        assert_close(a, b, depth_of(module) + x[0, :, 0].numel())


@pytest.mark.parametrize('options', EVERY)
def test_one_frame_says_that_both_groups_are_the_same(options, caplog):
    MMLogger.get_current_instance().addHandler(caplog.handler)
    try:
        ISSM(4, 2, **options)
        assert not caplog.records
        module = ISSM(4, 1, **options)
    finally:
        MMLogger.get_current_instance().removeHandler(caplog.handler)
    (record,) = caplog.records
    assert 'context and dynamics are the same frame' in record.getMessage()
    assert record.levelname == 'WARNING'
    groups = module.split_indexes(torch.randn(1, 4, 1, 3, 3))
    read = [module.frames_read(index) for index in (groups.static, groups.dynamic)]
    assert torch.equal(*read)
