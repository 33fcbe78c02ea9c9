import copy

import pytest
import torch
import torch.nn.functional as F
from mmaction.registry import MODELS

from tests.helpers.numeric import assert_close, depth_of

ARCH = dict(embed_dims=8, num_layers=3, num_heads=1, downscale_indices=[1, 2])
SIZE = dict(arch=ARCH, spatial_size=32, temporal_size=4)


def build(out_scales, **options):
    config = dict(type='PyramidMViT', out_scales=out_scales, **SIZE)
    return MODELS.build(config | options).eval()


def test_asking_for_more_scales_does_not_change_the_last_one():
    one, all_ = build([2]), build([0, 1, 2])
    all_.load_state_dict(one.state_dict())
    x = torch.rand(2, 3, 4, 32, 32)
    (last,), levels = one(x), all_(x)
    assert [tuple(level.shape) for level in levels] == [
        (2, 8, 2, 8, 8),
        (2, 16, 2, 4, 4),
        (2, 32, 2, 2, 2),
    ]
    assert torch.equal(levels[-1], last)


def test_every_checkpoint_of_stock_mvit_fits():
    stock = MODELS.build(dict(type='MViT', out_scales=[2], **SIZE)).eval().double()
    stock.init_weights()
    ours = build([1, 2]).double()
    ours.load_state_dict(stock.state_dict())
    x = torch.rand(1, 3, 4, 32, 32, dtype=torch.double)
    assert_close(ours(x)[-1], stock(x)[-1][0], depth_of(ours))


def test_temporal_pooling_keeps_tokens_and_parameters_of_the_short_clip():
    short, long = build([1, 2]), build([1, 2], temporal_pool=2)
    long.load_state_dict(short.state_dict())
    x = torch.rand(2, 3, 8, 32, 32)
    levels = long(x)
    for level, expected in zip(levels, short(x[:, :, :4]), strict=True):
        assert level.shape == expected.shape
    for level, copied in zip(levels, copy.deepcopy(long)(x), strict=True):
        assert torch.equal(level, copied)


def test_temporal_pooling_equals_one_convolution_of_five_frames():
    module = build([2], temporal_pool=2).double()
    x = torch.rand(2, 3, 8, 32, 32, dtype=torch.double)
    tokens, size = module.patch_embed(x)
    assert size == (2, 8, 8)
    # The mean of two 3-frame kernels, two frames apart.
    kernel = module.patch_embed.projection.weight
    wide = (F.pad(kernel, (0, 0, 0, 0, 0, 2)) + F.pad(kernel, (0, 0, 0, 0, 2, 0))) / 2
    expected = F.conv3d(
        x, wide, module.patch_embed.projection.bias, stride=4, padding=(1, 3, 3)
    )
    expected = expected.flatten(2).transpose(1, 2)
    assert_close(tokens, expected, depth_of(module.patch_embed))


def test_a_clip_too_short_to_pool_is_refused():
    with pytest.raises(ValueError, match='lower temporal_pool'):
        build([2], temporal_pool=4)(torch.rand(1, 3, 4, 32, 32))


@pytest.mark.parametrize('scales, levels', [(2, 1), (-1, 1), ((0, -1), 2), ([1, 2], 2)])
def test_scales_are_given_in_every_form_of_mvit(scales, levels):
    module = build(scales)
    maps = module(torch.rand(1, 3, 4, 32, 32))
    assert len(maps) == levels and maps[-1].shape == (1, 32, 2, 2, 2)
    assert isinstance(module.norm2, torch.nn.LayerNorm), 'of the last stage'


@pytest.mark.parametrize(
    'scales, error, message',
    [
        ({1: 1}, AssertionError, "get <class 'dict'>"),
        ([0, 13], AssertionError, 'Invalid out_scales 13'),
        ([1, 3], ValueError, 'the scales of this arch are 0 to 2'),
    ],
)
def test_what_names_no_scale_is_refused(scales, error, message):
    with pytest.raises(error, match=message):
        build(scales)


def test_a_convolutional_stem_changes_neither_tokens_nor_scales():
    patches = dict(kernel_size=(3, 8, 8), stride=(2, 8, 8), padding=(1, 0, 0))
    plain, stem = (
        build([1, 2], patch_cfg=patches, stem_channels=channels)
        for channels in ((), (4, 6))
    )
    x = torch.rand(2, 3, 4, 32, 32)
    assert [level.shape for level in stem(x)] == [level.shape for level in plain(x)]
    assert not torch.equal(stem(x)[0], plain(x)[0])
    layers = [type(layer).__name__ for layer in stem.patch_embed.stem]
    assert layers == ['Conv3d', 'InstanceNorm3d', 'GELU'] * 2
    before = {name for name in plain.state_dict() if 'patch_embed' not in name}
    assert before == {name for name in stem.state_dict() if 'patch_embed' not in name}


def test_a_stem_for_overlapping_or_odd_patches_is_refused():
    with pytest.raises(ValueError, match='multiple of 4 pixels that do not overlap'):
        build([2], stem_channels=(4, 8))
    odd = dict(kernel_size=(3, 6, 6), stride=(2, 6, 6), padding=(1, 0, 0))
    with pytest.raises(ValueError, match='set patch_cfg'):
        build([2], stem_channels=(4, 8), patch_cfg=odd)
