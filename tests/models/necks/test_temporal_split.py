"""What every split of the paper's Fig. 3 has to do; their own numbers are beside it."""

import warnings

import pytest
import torch
from mmaction.registry import MODELS
from mmengine.logging import MMLogger

from ifdd_mmaction.models.necks.temporal_split import rank_halves
from tests.helpers.numeric import assert_close, depth_of

EVERY = [
    dict(type='ISSM'),
    dict(type='IntervalSplit'),
    dict(type='EvidenceSplit'),
    dict(type='TopKSplit'),
    dict(type='TopKSplit', prior_order=False),
    dict(type='WeightingSplit'),
    dict(type='WeightingSplit', position=True),
    dict(type='WeightingSplit', project_scores=True),
    dict(type='WeightingSplit', position=True, project_scores=True),
]


def build(options, channels, frames):
    return MODELS.build(dict(options, in_channels=channels, num_frames=frames))


@pytest.mark.parametrize('options', EVERY, ids=str)
@pytest.mark.parametrize('t', [1, 2, 5, 8])
@pytest.mark.parametrize('size', [(1, 1), (5, 3), (14, 14)])
def test_any_length_and_size_with_gradients_everywhere(options, t, size):
    module = build(options, 6, t)
    x = torch.randn(2, 6, t, *size, requires_grad=True)
    x_s, x_d = module(x)
    assert x_s.shape == x_d.shape == (2, 6, (t + 1) // 2, *size)
    (x_s.square().sum() + x_d.sum()).backward()
    assert [n for n, p in module.named_parameters() if p.grad is None] == []
    assert x.grad.abs().sum() > 0


@pytest.mark.parametrize('options', EVERY, ids=str)
def test_each_clip_is_split_by_itself(options):
    module = build(options, 6, 8).double()
    x = torch.randn(3, 6, 8, 4, 4, dtype=torch.double)
    together = torch.stack(module(x))
    alone = torch.cat([torch.stack(module(clip[None])) for clip in x], dim=1)
    assert_close(together, alone, depth_of(module) + x[0, :, 0].numel())


@pytest.mark.parametrize('options', EVERY, ids=str)
def test_half_precision_chooses_the_same_frames(options):
    module = build(options, 8, 16)
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
        build(options, 4, 8)(torch.zeros(shape))


@pytest.mark.parametrize('frames', [5, 6])
@pytest.mark.parametrize('options', EVERY)
def test_a_tracer_goes_through(options, frames):
    # MMAction2's own get_flops.py traces a model, which makes tensors of its sizes.
    module = build(options, 4, frames).double().eval()
    x = torch.randn(1, 4, frames, 3, 3, dtype=torch.double)
    with warnings.catch_warnings():
        warnings.simplefilter('ignore')  # that a comparison of sizes is not recorded
        traced = torch.jit.trace(module, x)
    for a, b in zip(traced(x), module(x), strict=True):
        assert_close(a, b, depth_of(module) + x[0, :, 0].numel())


@pytest.mark.parametrize('options', EVERY)
def test_one_frame_says_that_both_groups_are_the_same(options, caplog):
    MMLogger.get_current_instance().addHandler(caplog.handler)
    caplog.handler.setLevel('WARNING')  # MMEngine logs what it builds
    try:
        build(options, 4, 2)
        assert not caplog.records
        module = build(options, 4, 1)
    finally:
        MMLogger.get_current_instance().removeHandler(caplog.handler)
    (record,) = caplog.records
    assert 'context and dynamics are the same frame' in record.getMessage()
    assert record.levelname == 'WARNING'
    groups = module.split_indexes(torch.randn(1, 4, 1, 3, 3))
    read = [module.frames_read(index) for index in (groups.static, groups.dynamic)]
    assert torch.equal(*read)


@pytest.mark.parametrize(
    'scores, higher',
    [([3.0, 1, 2, 4], [0, 3]), ([1.0, 1, 1, 1], [0, 1]), ([1.0, 2, 1, 1], [0, 1])],
    ids=str,
)
def test_frames_of_equal_score_are_ranked_in_temporal_order(scores, higher):
    halves = rank_halves(torch.tensor([scores]))
    lower = [frame for frame in range(4) if frame not in higher]
    assert [half.tolist() for half in halves] == [[higher], [lower]]
