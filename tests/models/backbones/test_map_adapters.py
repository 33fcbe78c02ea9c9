"""The adapters compute what MMAction2's backbones do, and keep the maps."""

import sys

import pytest
import torch
from mmaction.registry import MODELS
from torch import nn

from tests.helpers.numeric import assert_close, depth_of

TIMESFORMER = dict(
    num_frames=3, img_size=32, patch_size=8, embed_dims=16, num_heads=2,
    num_transformer_layers=2,
)  # fmt: skip
UNIFORMERV2 = dict(
    input_resolution=32, width=16, layers=2, heads=2, t_size=3, return_list=[0, 1],
    n_layers=2, n_dim=16, n_head=2, mlp_dropout=[0.5, 0.5], clip_pretrained=False,
)  # fmt: skip


def pair(adapter, stock, **options):
    """Build an adapter and MMAction2's own backbone with the same weights."""
    ours = MODELS.build(dict(type=adapter, **options)).double()
    theirs = MODELS.build(dict(type=stock, **options)).double()
    # Zero-initialized layers would hide what they do.
    for parameter in ours.parameters():
        nn.init.normal_(parameter, std=0.3)
    missing = theirs.load_state_dict(ours.state_dict(), strict=False).missing_keys
    ours.eval()
    theirs.eval()
    return ours, theirs, missing


@pytest.mark.parametrize(
    'attention', ['divided_space_time', 'joint_space_time', 'space_only']
)
@torch.no_grad()
def test_timesformer_keeps_the_tokens_of_each_patch(attention):
    options = dict(TIMESFORMER, attention_type=attention)
    ours, theirs, missing = pair('TimeSformerMap', 'TimeSformer', **options)
    assert missing == []
    tokens = []
    theirs.transformer_layers.register_forward_hook(
        lambda *args: tokens.append(args[2])
    )
    x = torch.rand(2, 3, 3, 32, 32, dtype=torch.double)
    vector = theirs(x)
    out = ours(x)
    assert out.shape == (2, 16, 3, 4, 4)
    tokens = theirs.norm(tokens[0])
    for n, t, h, w in ((0, 0, 0, 0), (1, 2, 1, 3)):
        patch = 1 + h * 4 + w
        cell = (
            tokens[n * 3 + t, patch]
            if attention == 'space_only'
            else tokens[n, 1 + (patch - 1) * 3 + t]
        )
        assert_close(out[n, :, t, h, w], cell, depth_of(ours))
    assert (out.mean((2, 3, 4)) - vector).abs().max() > 1e-3


@torch.no_grad()
def test_timesformers_cells_are_where_and_when_their_patches_are():
    """Without layers a cell depends on its own patch alone."""
    ours = MODELS.build(dict(type='TimeSformerMap', **TIMESFORMER)).eval()
    ours.transformer_layers = nn.ModuleList()
    ours.transformer_layers.forward = lambda x, *args: x
    x = torch.rand(1, 3, 3, 32, 32)
    changed = x.clone()
    changed[:, :, 1, 8:16, 24:] += 1
    moved = (ours(x) != ours(changed)).any(1).nonzero().tolist()
    assert moved == [[0, 1, 1, 3]]


@torch.no_grad()
def test_uniformerv2_adds_its_vector_to_the_tokens_of_each_patch():
    ours, theirs, missing = pair('UniFormerV2Map', 'UniFormerV2', **UNIFORMERV2)
    assert missing == []
    tokens = []
    theirs.transformer.resblocks[-1].register_forward_hook(
        lambda *args: tokens.append(args[2])
    )
    x = torch.rand(2, 3, 3, 32, 32, dtype=torch.double)
    vector = theirs(x)
    out = ours(x)
    assert out.shape == (2, 16, 3, 2, 2)
    for n, t, h, w in ((0, 0, 0, 0), (1, 2, 1, 0)):
        patch = theirs.transformer.norm(tokens[0][1 + h * 2 + w, n * 3 + t])
        assert_close(out[n, :, t, h, w], patch + vector[n], depth_of(ours))


@torch.no_grad()
def test_c3d_returns_the_maps_before_each_pooling():
    ours, theirs, missing = pair('C3DPyramid', 'C3D', out_dim=512 * 4, dropout_ratio=0)
    assert {key.split('.')[0] for key in missing} == {'fc6', 'fc7'}
    maps = {}
    for name in ('conv4b', 'conv5b'):
        theirs.get_submodule(name).register_forward_hook(
            lambda module, inputs, output, name=name: maps.update({name: output})
        )
    x = torch.rand(1, 3, 16, 32, 32, dtype=torch.double)
    theirs(x)
    for out, name in zip(ours(x), ('conv4b', 'conv5b'), strict=True):
        assert torch.equal(out, maps[name])


def test_timm_says_what_to_install_where_it_is_absent(monkeypatch):
    monkeypatch.setitem(sys.modules, 'timm', None)
    with pytest.raises(ImportError, match=r'ifdd-mmaction\[timm\]'):
        MODELS.build(dict(type='TimmPyramid', model_name='resnet18'))


@pytest.mark.parametrize('name', ['resnet10t', 'swin_tiny_patch4_window7_224'])
def test_timm_models_return_several_maps_with_channels_first(name):
    pytest.importorskip('timm')
    small = dict(depths=(1, 1, 1, 1), embed_dim=8, num_heads=(1, 1, 1, 1))
    options = small if name.startswith('swin') else {}
    config = dict(type='TimmPyramid', model_name=name, img_size=64, **options)
    if not options:
        config.pop('img_size')
    model = MODELS.build(config)
    before = {k: v.clone() for k, v in model.state_dict().items()}
    model.init_weights()
    assert all(torch.equal(v, before[k]) for k, v in model.state_dict().items())
    fine, coarse = model(torch.rand(2, 3, 64, 64))
    assert fine.shape[2:] == (4, 4) and coarse.shape[2:] == (2, 2)
    assert coarse.shape[1] > fine.shape[1]
