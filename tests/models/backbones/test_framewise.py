import pytest
import torch
from mmaction.registry import MODELS

SIZE = dict(
    arch=dict(embed_dims=8, num_layers=2, num_heads=1, downscale_indices=[1]),
    spatial_size=32,
    temporal_size=2,
    out_scales=(0, 1),
)


def build(**options):
    mvit = dict(type='PyramidMViT', **SIZE)
    return MODELS.build(dict(type='Framewise', backbone=mvit, **options)).eval()


def test_a_map_depends_on_its_own_frames_only():
    backbone = build()
    x = torch.rand(2, 3, 8, 32, 32)
    changed = x.clone()
    changed[:, :, 4:6] = 0
    for before, after in zip(backbone(x), backbone(changed), strict=True):
        assert before.shape[2] == 4
        differs = (before - after).abs().amax(dim=(0, 1, 3, 4)) > 1e-4
        assert differs.tolist() == [False, False, True, False]


def test_the_maps_of_a_clip_are_those_of_its_frames_in_order():
    backbone = build()
    x = torch.rand(2, 3, 8, 32, 32)
    parts = [backbone(x[:, :, i : i + 2]) for i in range(0, 8, 2)]
    for scale, level in enumerate(backbone(x)):
        expected = torch.cat([part[scale] for part in parts], dim=2)
        torch.testing.assert_close(level, expected)


def test_a_backbone_of_one_map_and_several_times_for_each_part():
    conv = dict(type='C3DPyramid', out_indices=(0,), conv_cfg=dict(type='Conv3d'))
    backbone = MODELS.build(dict(type='Framewise', backbone=conv, frames=4)).eval()
    (level,) = backbone(torch.rand(1, 3, 8, 16, 16))
    assert level.shape[:3] == (1, 64, 8)


def test_a_clip_of_a_part_of_the_frames_is_refused():
    with pytest.raises(ValueError, match='clip of 6 frames: give a multiple of 4'):
        build(frames=4)(torch.rand(1, 3, 6, 32, 32))


def test_a_chunk_of_nothing_is_refused():
    with pytest.raises(ValueError, match=r'chunk=0\): give 1 or more'):
        build(chunk=0)


def test_a_frozen_backbone_is_not_trained_and_drops_nothing():
    backbone = build(frozen=True).train()
    assert backbone.training and not any(
        module.training for module in backbone.backbone.modules()
    )
    assert not any(parameter.requires_grad for parameter in backbone.parameters())
    assert not backbone(torch.rand(1, 3, 4, 32, 32))[1].requires_grad
    assert build().train()(torch.rand(1, 3, 4, 32, 32))[1].requires_grad


@pytest.mark.parametrize('chunk', [1, 3, 8, 100])
def test_chunks_change_neither_maps_nor_gradients(chunk):
    backbone, x = build(), torch.rand(2, 3, 8, 32, 32)
    parameters = list(backbone.parameters())
    results = []
    for size in (None, chunk):
        backbone.chunk = size
        maps = backbone(x)
        loss = sum(level.square().mean() for level in maps)
        gradients = torch.autograd.grad(loss, parameters, allow_unused=True)
        results.append((maps, [g for g in gradients if g is not None]))
    torch.testing.assert_close(results[1], results[0])
