import pytest
import torch

from ifdd_mmaction.models.necks import PyramidAggregation
from ifdd_mmaction.models.necks.pyramid_aggregation import relative_strides
from tests.helpers.golden import (
    assert_statistics,
    filled_module,
    load_golden,
    load_json,
    normal,
    ours,
    pick,
)
from tests.helpers.numeric import assert_close, depth_of


@pytest.mark.parametrize('name, stages', [('fpn_s23', [2, 3]), ('fpn_s3', [3])])
def test_equals_the_authors_module(name, stages):
    golden = load_golden(name)
    channels, sizes = [4, 6, 8, 10], [16, 8, 4, 2]
    module = PyramidAggregation([channels[i] for i in stages]).double()
    state = ours(pick(golden, 'state/'), 'backbone.', 'neck.aggregation.')
    module.load_state_dict(state)
    levels = []
    for i in stages:
        tokens = golden[f'stage{i}'].double()[:, 1:]  # without the class token
        levels.append(
            tokens.transpose(1, 2).reshape(-1, channels[i], 2, sizes[i], sizes[i])
        )
    out = module(levels).flatten(2).transpose(1, 2)
    assert_close(out, golden['out'], depth_of(module))


def test_equals_the_authors_module_at_real_size():
    module = PyramidAggregation([384, 768]).double()
    state = filled_module('backbone.', ('PANLayer', 'CatConv'))
    module.load_state_dict(ours(state, 'backbone.', 'neck.aggregation.'))
    levels = []
    for stage, channels, size in ((2, 384, 14), (3, 768, 7)):
        tokens = normal(f'fpn.real.stage{stage}', (2, 8 * size**2 + 1, channels))
        patches = tokens.double()[:, 1:].transpose(1, 2)  # without the class token
        levels.append(patches.reshape(2, channels, 8, size, size))
    out = module(levels).flatten(2).transpose(1, 2)
    expected = load_json('meta_small')['fpn_real_stats']['out']
    assert_statistics(out, expected, depth_of(module))


@pytest.mark.parametrize(
    'strides, sizes',
    [([4, 2, 1], [28, 14, 7]), ([4, 2, 1], [27, 14, 7]), ([1, 1], [5, 5])],
)
def test_any_strides_bring_every_stage_to_the_last_ones_size(strides, sizes):
    channels = list(range(3, 3 + len(sizes)))
    module = PyramidAggregation(channels, strides)
    levels = [
        torch.randn(2, c, 3, s, s, requires_grad=True)
        for c, s in zip(channels, sizes, strict=True)
    ]
    out = module(levels)
    assert out.shape == levels[-1].shape
    out.sum().backward()
    assert all(level.grad is not None for level in levels)


@pytest.mark.parametrize('frames', [8, 7])
def test_a_level_of_more_frames_is_averaged_over_time(frames):
    fine = torch.randn(2, 3, frames, 8, 8, dtype=torch.double)
    last = torch.randn(2, 5, 4, 4, 4, dtype=torch.double)
    module = PyramidAggregation([3, 5]).double()
    out = module([fine, last])
    # Window i of the average spans from floor(i T / 4) to ceil((i + 1) T / 4).
    windows = [
        fine[:, :, i * frames // 4 : -(-(i + 1) * frames // 4)].mean(2)
        for i in range(4)
    ]
    expected = module([torch.stack(windows, dim=2), last])
    assert_close(out, expected, depth_of(module))


def test_fewer_channels_out_than_the_last_stage_has():
    levels = [torch.randn(1, c, 2, s, s) for c, s in ((3, 8), (6, 4))]
    assert PyramidAggregation([3, 6], out_channels=2)(levels).shape == (1, 2, 2, 4, 4)
    single = PyramidAggregation([6], out_channels=2)
    assert single(levels[1:]).shape == (1, 2, 2, 4, 4)


@pytest.mark.parametrize(
    'sizes, strides',
    [
        ([(56, 56), (28, 28), (7, 7)], [8, 4, 1]),
        ([(13, 20), (7, 10)], [2, 1]),
        ([(7, 7)], [1]),
    ],
)
def test_strides_follow_from_the_sizes(sizes, strides):
    assert relative_strides(sizes) == strides
    levels = [torch.zeros(1, 2, 1, *size) for size in sizes]
    PyramidAggregation([2] * len(sizes), strides)(levels)


@pytest.mark.parametrize('sizes', [[(15, 15), (7, 7)], [(8, 16), (4, 4)]])
def test_sizes_without_a_common_stride_are_refused(sizes):
    with pytest.raises(ValueError, match='no stride'):
        relative_strides(sizes)


def test_stages_are_picked_by_index_in_any_order():
    levels = [torch.randn(1, c, 2, 4, 4) for c in (3, 5, 7)]
    module = PyramidAggregation([7, 3], strides=[1, 1], stages=[2, 0])
    assert module(levels).shape == (1, 3, 2, 4, 4)


@pytest.mark.parametrize('shapes, message', [
    ([(1, 4, 2, 8, 8)], r'1 level'),
    ([(1, 4, 2, 8, 8), (1, 7, 2, 4, 4)], r'in_channels of the neck'),
    ([(1, 4, 2, 8, 8), (1, 6, 4, 4, 4)], r'fewer frames'),
    ([(1, 4, 2, 16, 16), (1, 6, 2, 4, 4)], r'set strides .* to \[4, 1\]'),
])  # fmt: skip
def test_levels_that_do_not_fit_are_refused_with_their_shapes(shapes, message):
    with pytest.raises(ValueError, match=message) as error:
        PyramidAggregation([4, 6])([torch.zeros(s) for s in shapes])
    assert str(shapes[0]) in str(error.value)


@pytest.mark.parametrize(
    'options', [dict(strides=[2]), dict(strides=[4, 2]), dict(stages=[1])]
)
def test_wrong_arguments_are_refused_at_build(options):
    with pytest.raises(ValueError, match='stage'):
        PyramidAggregation([4, 6], **options)
