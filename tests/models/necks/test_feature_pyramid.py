import pytest
import torch
from mmaction.registry import MODELS

from ifdd_mmaction.models.necks import to_pyramid


def test_one_map_and_several_maps_become_a_list():
    x = torch.zeros(1, 2, 3, 4, 4)
    assert to_pyramid(x)[0] is x
    assert [level is x for level in to_pyramid((x, x))] == [True, True]


@pytest.mark.parametrize(
    'features, message',
    [
        (([torch.zeros(1, 2, 3, 4, 4), torch.zeros(1, 2)],), 'output_cls_token=False'),
        (torch.zeros(1, 768), 'return_feat_map=True'),
        ((), 'feature pyramid'),
        ((None,), 'NoneType'),
    ],
)
def test_anything_else_is_refused_with_the_argument_to_set(features, message):
    with pytest.raises(ValueError, match=message):
        to_pyramid(features)


def test_stock_mvit_with_class_tokens_is_told_what_to_set():
    arch = dict(embed_dims=8, num_layers=2, num_heads=1, downscale_indices=[1])
    size = dict(spatial_size=32, temporal_size=4)
    mvit = MODELS.build(dict(type='MViT', arch=arch, out_scales=[0, 1], **size))
    with pytest.raises(ValueError, match='output_cls_token=False'):
        to_pyramid(mvit(torch.rand(1, 3, 4, 32, 32)))
