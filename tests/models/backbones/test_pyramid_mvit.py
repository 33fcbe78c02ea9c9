import torch
from mmaction.registry import MODELS

ARCH = dict(embed_dims=8, num_layers=3, num_heads=1, downscale_indices=[1, 2])
SIZE = dict(arch=ARCH, spatial_size=32, temporal_size=4)


def build(out_scales):
    return MODELS.build(dict(type='PyramidMViT', out_scales=out_scales, **SIZE)).eval()


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
    torch.testing.assert_close(levels[-1], last, atol=0, rtol=0)


def test_every_checkpoint_of_stock_mvit_fits():
    stock = MODELS.build(dict(type='MViT', out_scales=[2], **SIZE)).eval()
    stock.init_weights()
    ours = build([1, 2])
    ours.load_state_dict(stock.state_dict())
    x = torch.rand(1, 3, 4, 32, 32)
    torch.testing.assert_close(ours(x)[-1], stock(x)[-1][0], atol=0, rtol=0)
