"""``tools/convert/videomae.py`` against the formulas of VideoMAE, written out here."""

import argparse
import re

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from mmaction.registry import MODELS
from mmengine.runner import load_checkpoint

from tests.helpers.converting import assert_refused, convert, write_malicious
from tests.helpers.golden import load_tool
from tests.helpers.numeric import assert_close, depth_of

TOOL = 'videomae.py'
#: The tiny model: 2 x 2 x 2 tokens.
DIMS, DEPTH, HEADS, SIZE, FRAMES, PATCH = 12, 3, 2, 16, 4, 8


def block_shapes(attention):
    return {
        'norm1.weight': (DIMS,),
        'norm1.bias': (DIMS,),
        **attention,
        'norm2.weight': (DIMS,),
        'norm2.bias': (DIMS,),
        'mlp.fc1.weight': (4 * DIMS, DIMS),
        'mlp.fc1.bias': (4 * DIMS,),
        'mlp.fc2.weight': (DIMS, 4 * DIMS),
        'mlp.fc2.bias': (DIMS,),
    }


ATTENTION = {
    'attn.q_bias': (DIMS,),
    'attn.v_bias': (DIMS,),
    'attn.qkv.weight': (3 * DIMS, DIMS),
    'attn.proj.weight': (DIMS, DIMS),
    'attn.proj.bias': (DIMS,),
}


def draw(shapes):
    return {
        key: torch.randn(shape) * 0.3 + (key.endswith('weight') and len(shape) == 1)
        for key, shape in shapes.items()
    }


def encoder(*norms, block=None):
    """Weights of an encoder, under VideoMAE's names."""
    shapes = {
        'patch_embed.proj.weight': (DIMS, 3, 2, PATCH, PATCH),
        'patch_embed.proj.bias': (DIMS,),
    }
    for i in range(DEPTH):
        block = block or block_shapes(ATTENTION)
        shapes |= {f'blocks.{i}.{key}': shape for key, shape in block.items()}
    for norm in norms:
        shapes |= {f'{norm}.weight': (DIMS,), f'{norm}.bias': (DIMS,)}
    return draw(shapes)


def fine_tuned():
    return encoder('fc_norm') | draw({'head.weight': (5, DIMS), 'head.bias': (5,)})


def pre_trained():
    weights = {f'encoder.{key}': value for key, value in encoder('norm').items()}
    decoder = {'decoder.blocks.0.norm1.weight': (6,), 'mask_token': (1, 1, 6)}
    return weights | draw({'encoder_to_decoder.weight': (6, DIMS), **decoder})


# VideoMAE's formulas.


def positions(count):
    rates = np.power(10000, 2 * (np.arange(DIMS) // 2) / DIMS)
    table = np.arange(count)[:, None] / rates
    table[:, 0::2], table[:, 1::2] = np.sin(table[:, 0::2]), np.cos(table[:, 1::2])
    return torch.from_numpy(table)


def norm(x, w, name):
    return F.layer_norm(x, (DIMS,), w[f'{name}.weight'], w[f'{name}.bias'], eps=1e-6)


def attend(q, k, v):
    """Multi-head attention of (N, L, C)."""
    q, k, v = (
        x.unflatten(-1, (HEADS, DIMS // HEADS)).transpose(1, 2) for x in (q, k, v)
    )
    weight = (q @ k.transpose(-2, -1) / (DIMS // HEADS) ** 0.5).softmax(-1)
    return (weight @ v).transpose(1, 2).flatten(2)


def plain_attention(x, w, name):
    k_bias = x.new_zeros(DIMS)  # a bias of the keys changes nothing: there is none
    bias = torch.cat([w[f'{name}.q_bias'], k_bias, w[f'{name}.v_bias']])
    q, k, v = F.linear(x, w[f'{name}.qkv.weight'], bias).chunk(3, dim=-1)
    return F.linear(attend(q, k, v), w[f'{name}.proj.weight'], w[f'{name}.proj.bias'])


def mlp(x, w, name):
    hidden = F.gelu(F.linear(x, w[f'{name}.fc1.weight'], w[f'{name}.fc1.bias']))
    return F.linear(hidden, w[f'{name}.fc2.weight'], w[f'{name}.fc2.bias'])


def tokens_of(clip, w):
    """Return the tokens (N, L, C) of a clip, before any norm of the output."""
    kernel, bias = w['patch_embed.proj.weight'], w['patch_embed.proj.bias']
    x = F.conv3d(clip, kernel, bias, stride=kernel.shape[2:])
    x = x.flatten(2).transpose(1, 2)
    x = x + positions(x.shape[1])
    for i in range(DEPTH):
        block = f'blocks.{i}'
        scale = w.get(f'{block}.gamma_1', 1), w.get(f'{block}.gamma_2', 1)
        y = plain_attention(norm(x, w, f'{block}.norm1'), w, f'{block}.attn')
        x = x + scale[0] * y
        x = x + scale[1] * mlp(norm(x, w, f'{block}.norm2'), w, f'{block}.mlp')
    return x


@pytest.fixture
def paths(tmp_path):
    return tmp_path / 'in.pth', tmp_path / 'out.pth'


@pytest.fixture
def clip():
    return torch.rand(2, 3, FRAMES, SIZE, SIZE, dtype=torch.double)


def printed_backbone(out):
    """Return the config that the tool prints, at the test's frame size."""
    backbone = eval(f'dict({out.strip().splitlines()[-1]})')
    return backbone | dict(img_size=SIZE, num_frames=FRAMES)


def load(path, **parts):
    model = MODELS.build(dict(type='Recognizer3D', **parts)).eval().double()
    load_checkpoint(model, str(path))
    return model


def assert_table_close(found, expected, model):
    """Both are float64, but for the model's table of positions."""
    assert_close(found, expected, depth_of(model), dtype=torch.float32)


@pytest.mark.parametrize('entry', ['model', 'module', None])
@pytest.mark.parametrize('layer_scale', [False, True])
def test_a_fine_tuned_model_predicts_the_same(entry, layer_scale, paths, clip, capsys):
    weights = fine_tuned()
    if layer_scale:
        for i in range(DEPTH):
            gammas = {f'blocks.{i}.gamma_{n}': (DIMS,) for n in (1, 2)}
            weights |= draw(gammas)
    # Their trainer saves its command line too.
    rest = dict(args=argparse.Namespace(lr=1e-3, model='vit'), epoch=3, optimizer={})
    torch.save({entry: weights, **rest} if entry else weights, paths[0])
    result = convert(TOOL, capsys, *paths, '--num-heads', HEADS)
    assert result.code == 0, result.err
    assert f'mapped: {len(weights)}\n' in result.out and 'dropped: 0' in result.out
    assert 'left at init: 1\n     1  backbone.pos_embed' in result.out

    head = dict(type='TimeSformerHead', num_classes=5, in_channels=DIMS)
    model = load(paths[1], backbone=printed_backbone(result.out), cls_head=head)
    weights = {key: value.double() for key, value in weights.items()}
    feature = norm(tokens_of(clip, weights).mean(1), weights, 'fc_norm')
    expected = F.linear(feature, weights['head.weight'], weights['head.bias'])
    with torch.no_grad():
        found = model.backbone(clip)
        assert_table_close(found, feature, model)
        assert_table_close(model.cls_head(found), expected, model)


def test_the_position_table_is_the_models(clip):
    vit = MODELS.build(
        dict(type='VisionTransformer', embed_dims=DIMS, depth=1, num_heads=2)
    )
    assert_close(vit.pos_embed[0], positions(1568), 1)


@pytest.mark.parametrize('pooled', [False, True])
def test_a_pre_trained_encoder_comes_without_its_decoder(
    pooled, paths, clip, capsys, tmp_path
):
    weights = pre_trained()
    torch.save(dict(model=weights), paths[0])
    args = ['--num-heads', HEADS]
    if pooled:  # as VideoMAE fine-tunes: the norm of the tokens is given up
        config = write_config(tmp_path, use_mean_pooling=True)
        args += ['--config', config, '--backbone-only']
    result = convert(TOOL, capsys, *paths, *args)
    assert result.code == 0, result.err
    dropped = ['encoder.norm'] * pooled + ['mask_token', 'decoder.blocks.0.norm1']
    assert f'dropped: {3 + 2 * pooled}\n' in result.out
    assert all(f'  {name}\n' in result.out for name in dropped)
    assert ('     2  backbone.fc_norm\n' in result.out) == pooled

    plain = {k[8:]: v.double() for k, v in weights.items() if k.startswith('encoder.')}
    expected = tokens_of(clip, plain)
    if pooled:
        backbone = dict(vit(use_mean_pooling=True), return_feat_map=True)
    else:
        backbone, expected = printed_backbone(result.out), norm(expected, plain, 'norm')
    model = load(paths[1], backbone=backbone)
    with torch.no_grad():
        found = model.backbone(clip).flatten(2).transpose(1, 2)
    assert_table_close(found, expected, model)


def vit(**options):
    return dict(
        dict(
            type='VisionTransformer', img_size=SIZE, num_frames=FRAMES, embed_dims=DIMS,
            depth=DEPTH, num_heads=HEADS, patch_size=PATCH,
        ),
        **options,
    )  # fmt: skip


def write_config(folder, classes=5, neck=None, **options):
    head = dict(type='TimeSformerHead', num_classes=classes, in_channels=DIMS)
    if neck:
        head['type'] = 'IFDDHead'
    model = dict(type='Recognizer3D', backbone=vit(**options), cls_head=head)
    if neck:
        model['neck'] = neck
    path = folder / 'config.py'
    path.write_text(f'model = {model!r}\n')
    return path


def test_a_config_is_checked_and_its_classifier_filled(paths, tmp_path, capsys):
    torch.save(fine_tuned(), paths[0])
    args = ('--num-heads', HEADS, '--config', write_config(tmp_path))
    assert convert(TOOL, capsys, *paths, *args).code == 0
    saved = torch.load(paths[1], weights_only=True)['state_dict']
    assert 'cls_head.fc_cls.weight' in saved


def test_behind_a_neck_the_classifier_stays_out(paths, tmp_path, capsys):
    torch.save(fine_tuned(), paths[0])
    neck = dict(
        type='IFDDNeck', in_channels=[DIMS], input_size=(2, 2, 2),
        lifting=dict(type='LADM', num_heads=2),
    )  # fmt: skip
    config = write_config(tmp_path, neck=neck, return_feat_map=True)
    result = convert(TOOL, capsys, *paths, '--num-heads', HEADS, '--config', config)
    assert result.code == 0, result.err
    saved = torch.load(paths[1], weights_only=True)['state_dict']
    assert all(key.startswith('backbone.') for key in saved)
    assert 'dropped: 2\n     2  head\n' in result.out
    assert '2  cls_head.fc_cls\n' in result.out  # left at init


@pytest.mark.parametrize('options, says', [
    (dict(classes=7), 'head.weight is (5, 12), but cls_head.fc_cls.weight is '
     '(7, 12) in {config}. Pass --backbone-only'),
    (dict(num_heads=3), 'num_heads is 3, but a VideoMAE 12 wide has 2'),
    (dict(depth=4), 'nothing in it is backbone.blocks.3.norm1.weight'),
    (dict(depth=2), 'blocks.2.norm1.weight (12,) would be backbone.blocks.2.norm1'),
    (dict(use_mean_pooling=False), 'fc_norm.weight (12,) would be '
     'backbone.fc_norm.weight, which {config} does not have. Set '
     'model.backbone.use_mean_pooling=True'),
    (dict(qkv_bias=False), 'blocks.0.attn.q_bias (12,) would be'),
])  # fmt: skip
def test_a_config_that_does_not_fit_is_refused(options, says, paths, tmp_path, capsys):
    torch.save(fine_tuned(), paths[0])
    config = write_config(tmp_path, **options)
    assert_refused(
        TOOL, capsys, *paths, '--num-heads', HEADS, '--config', config,
        says=says.format(config=config),
    )  # fmt: skip


def test_weights_that_are_not_an_encoders_are_refused(paths, capsys):
    torch.save(encoder('fc_norm') | {'blocks.0.attn.scale': torch.ones(2)}, paths[0])
    heads = ('--num-heads', HEADS)
    assert_refused(
        TOOL, capsys, *paths, *heads,
        says='blocks.0.attn.scale (2,) would be backbone.blocks.0.attn.scale, which '
        'the VisionTransformer of this size does not have',
    )  # fmt: skip
    assert_refused(TOOL, capsys, *paths, says='pass --num-heads')
    torch.save({'layer1.0.conv1.weight': torch.zeros(1)}, paths[0])
    assert_refused(TOOL, capsys, *paths, says='it has no patch_embed.proj.weight')


def test_videomae_small_at_its_real_size(paths, capsys):
    block = {
        'norm1.weight': (384,), 'norm1.bias': (384,), 'attn.q_bias': (384,),
        'attn.v_bias': (384,), 'attn.qkv.weight': (1152, 384),
        'attn.proj.weight': (384, 384), 'attn.proj.bias': (384,),
        'norm2.weight': (384,), 'norm2.bias': (384,), 'mlp.fc1.weight': (1536, 384),
        'mlp.fc1.bias': (1536,), 'mlp.fc2.weight': (384, 1536), 'mlp.fc2.bias': (384,),
    }  # fmt: skip
    shapes = {
        'patch_embed.proj.weight': (384, 3, 2, 16, 16),
        'patch_embed.proj.bias': (384,),
        **{f'blocks.{i}.{k}': shape for i in range(12) for k, shape in block.items()},
        **{'fc_norm.weight': (384,), 'fc_norm.bias': (384,)},
        **{'head.weight': (400, 384), 'head.bias': (400,)},
    }
    # Expanded, one number is all that is stored of each.
    weights = {k: torch.tensor(1.0).expand(shape) for k, shape in shapes.items()}
    torch.save(dict(module=weights), paths[0])
    result = convert(TOOL, capsys, *paths)
    assert result.code == 0 and f'mapped: {len(shapes)}\n' in result.out
    backbone = eval(f'dict({result.out.strip().splitlines()[-1]})')
    assert backbone == dict(
        type='VisionTransformer', embed_dims=384, depth=12, num_heads=6, mlp_ratio=4,
        patch_size=16, tubelet_size=2, qkv_bias=True, use_mean_pooling=True,
    )  # fmt: skip


@pytest.mark.parametrize(
    'dims, heads', [(512, 8), (768, 12), (1024, 16), (1280, 16), (1408, 16)]
)
def test_heads_follow_from_the_width(dims, heads):
    # MAE-DFER's, base, large, huge, giant
    assert load_tool(f'convert/{TOOL}').HEADS[dims] == heads


# MAE-DFER


def lgi_attention(name, cross):
    shapes = {}
    for norm in ('norm0', 'norm1') if cross else ('norm0',):
        shapes |= {f'{name}_attn_{norm}.{part}': (DIMS,) for part in ('weight', 'bias')}
    return shapes | {
        f'{name}_attn.q_bias': (DIMS,),
        f'{name}_attn.v_bias': (DIMS,),
        f'{name}_attn.q.weight': (DIMS, DIMS),
        f'{name}_attn.kv.weight': (2 * DIMS, DIMS),
        f'{name}_attn.proj.weight': (DIMS, DIMS),
        f'{name}_attn.proj.bias': (DIMS,),
    }


def lgi_former(crossed=('third',), prefix=''):
    attention = {}
    for name in ('first', 'second', 'third'):
        attention |= lgi_attention(name, name in crossed)
    block = attention | {
        key: shape for key, shape in block_shapes({}).items() if 'norm1' not in key
    }
    last = 'norm' if prefix else 'fc_norm'
    weights = {'lg_region_tokens': torch.randn(4, DIMS)} | encoder(last, block=block)
    weights = {prefix + key: value for key, value in weights.items()}
    head = {'decoder.norm.weight': (6,)} if prefix else {'head.weight': (7, DIMS)}
    return weights | draw(head)


@pytest.mark.parametrize('prefix', ['', 'encoder.'])
def test_an_lgi_former_is_refused_with_the_reason(prefix, paths, capsys):
    torch.save(dict(model=lgi_former(prefix=prefix)), paths[0])
    assert_refused(
        TOOL, capsys, *paths, '--num-heads', HEADS,
        says='LGI-Former of MAE-DFER (lg_region_tokens, first_attn). A '
        'VisionTransformer has no local and global blocks and would predict something',
    )  # fmt: skip


def general_attention(x, w, name):
    """MAE-DFER's attention, which keeps q apart, of tokens among themselves."""
    q = F.linear(x, w[f'{name}.q.weight'], w[f'{name}.q_bias'])
    bias = torch.cat([x.new_zeros(DIMS), w[f'{name}.v_bias']])
    k, v = F.linear(x, w[f'{name}.kv.weight'], bias).chunk(2, dim=-1)
    return F.linear(attend(q, k, v), w[f'{name}.proj.weight'], w[f'{name}.proj.bias'])


@pytest.mark.parametrize('prefix', ['', 'encoder.'])
@pytest.mark.parametrize('local, crossed', [('first', 'third'), ('third', 'first')])
def test_the_shared_part_of_an_lgi_former(local, crossed, prefix, paths, capsys):
    weights = lgi_former([crossed], prefix)
    torch.save(dict(model=weights), paths[0])
    result = convert(TOOL, capsys, *paths, '--num-heads', HEADS, '--partial')
    assert result.code == 0, result.err
    dropped = result.out.split('dropped: ')[1].split('dropped,')[0]
    names = set(re.findall(r'\d+  (\S+)', dropped))
    other = {'decoder.norm'} if prefix else {'head'}
    blocks = {
        f'{prefix}blocks.0,1,2.{name}'
        for name in ('second_attn', 'second_attn_norm0', f'{crossed}_attn',
                     f'{crossed}_attn_norm0', f'{crossed}_attn_norm1')
    }  # fmt: skip
    assert names == {f'{prefix}lg_region_tokens'} | blocks | other
    # Per block: the second attention, and the one that crosses.
    assert int(dropped.split('\n')[0]) == 2 + DEPTH * (8 + 10)

    vit = load(paths[1], backbone=printed_backbone(result.out)).backbone
    x = torch.randn(2, 5, DIMS, dtype=torch.double)
    plain = {key.removeprefix(prefix): v.double() for key, v in weights.items()}
    for i, block in enumerate(vit.blocks):
        name = f'blocks.{i}.{local}_attn'
        y = x + general_attention(norm(x, plain, f'{name}_norm0'), plain, name)
        y = y + mlp(norm(y, plain, f'blocks.{i}.norm2'), plain, f'blocks.{i}.mlp')
        with torch.no_grad():
            assert_close(block(x), y, depth_of(vit))


def test_an_lgi_former_without_local_self_attention_has_no_shared_part(paths, capsys):
    torch.save(lgi_former(['first', 'third']), paths[0])
    args = ('--num-heads', HEADS, '--partial')
    assert_refused(TOOL, capsys, *paths, *args, says='has nothing like it')


def test_code_in_a_checkpoint_is_not_run(tmp_path, capsys):
    source, marker = write_malicious(tmp_path, 'zip')
    assert_refused(TOOL, capsys, source, tmp_path / 'out.pth', says='shutil.copyfile')
    assert not marker.exists()
