"""``tools/convert/mvit_small_to_tiny.py`` against tables of names made elsewhere."""

import json

import pytest
import torch
from mmaction.registry import MODELS
from mmengine.config import Config
from mmengine.runner import load_checkpoint

from tests.helpers.converting import assert_refused, convert, write_malicious
from tests.helpers.golden import FOLDER, ROOT

TOOL = 'mvit_small_to_tiny.py'
TABLES = {
    'torchvision': 'torchvision_mvit_v2_s_to_mmaction_tiny',
    'mmaction': 'mmaction_small_to_tiny',
}


@pytest.fixture(scope='module')
def config():
    return Config.fromfile(ROOT / 'configs' / 'ifdd_vit_dfew.py')


@pytest.fixture(scope='module')
def tiny(config):
    """Shapes of our backbone."""
    return {
        k: v.shape for k, v in MODELS.build(config.model.backbone).state_dict().items()
    }


def names_of(source):
    return json.loads((FOLDER / 'keymaps.json').read_text())[TABLES[source]]


def small(source, tiny):
    """Weights under the source's names, each filled with a number of its own."""
    shapes = {key: tiny[name] for key, name in names_of(source).items()}
    for i in range(8, 14):  # like block 7, and left behind
        alike = {k: v for k, v in shapes.items() if k.startswith('blocks.7.')}
        shapes |= {k.replace('.7.', f'.{i}.'): v for k, v in alike.items()}
    if source == 'torchvision':
        shapes['pos_encoding.class_token'] = (96,)
        shapes |= {'head.1.weight': (400, 768), 'head.1.bias': (400,)}
    # Expanded, one number is all that is stored of each.
    return {
        key: torch.tensor(float(i)).expand(tuple(shape))
        for i, (key, shape) in enumerate(shapes.items())
    }


@pytest.mark.parametrize('source, prefix, entry', [
    ('torchvision', '', None),
    ('torchvision', 'backbone.', 'model'),
    ('mmaction', 'backbone.', 'state_dict'),
    ('mmaction', '', None),
])  # fmt: skip
def test_each_weight_lands_where_the_tables_say(
    source, prefix, entry, tiny, tmp_path, capsys
):
    weights = small(source, tiny)
    content = {prefix + key: value for key, value in weights.items()}
    if source == 'mmaction':
        content['cls_head.fc_cls.weight'] = torch.zeros(1)
    paths = (tmp_path / 'in.pth', tmp_path / 'out.pth')
    torch.save({entry: content, 'epoch': 3} if entry else content, paths[0])
    result = convert(TOOL, capsys, *paths)
    assert result.code == 0, result.err
    found = torch.load(paths[1], weights_only=True)['state_dict']
    names = names_of(source)
    assert {f'backbone.{name}' for name in names.values()} == found.keys()
    assert set(names.values()) == tiny.keys()
    for key, name in names.items():
        value = found[f'backbone.{name}']
        assert value.shape == tiny[name], name
        assert (value == weights[key].flatten()[0]).all(), name
    for line in (
        "torchvision's MViT" if source == 'torchvision' else "MMAction2's MViT",
        'mapped: 251',
        f'26  {prefix}blocks.14',
        '-> backbone.blocks.8\n',
        f'dropped: {146 if source == "torchvision" else 145}',
        f'  24  {prefix}blocks.8,9,10,11,12,13.mlp\n',
        'left at init: 37',
        '2  cls_head.fc_cls\n',
    ):
        assert line in result.out, result.out


def test_a_config_starts_from_it_either_way(tiny, config, tmp_path, capsys):
    weights = small('torchvision', tiny)
    generator = torch.Generator().manual_seed(0)
    for key, value in weights.items():
        weights[key] = torch.rand(value.shape, generator=generator)
    paths = (tmp_path / 'in.pth', tmp_path / 'out.pth')
    torch.save(weights, paths[0])
    assert convert(TOOL, capsys, *paths).code == 0
    saved = torch.load(paths[1], weights_only=True)['state_dict']
    # init_cfg, as the tool's docstring writes it
    init = dict(type='Pretrained', checkpoint=str(paths[1]), prefix='backbone.')
    backbone = MODELS.build(config.model.backbone | dict(init_cfg=init))
    backbone.init_weights()
    state = {f'backbone.{k}': v for k, v in backbone.state_dict().items()}
    assert state.keys() == saved.keys()
    assert all(torch.equal(state[key], value) for key, value in saved.items())
    # load_from
    model = MODELS.build(config.model)
    load_checkpoint(model, str(paths[1]))
    state = model.state_dict()
    assert all(torch.equal(state[key], value) for key, value in saved.items())


def spoil(weights, how):
    if how == 'tiny':
        return {k: v for k, v in weights.items() if not k.startswith('blocks.1')} | {
            k: v for k, v in weights.items() if k.startswith('blocks.1.')
        }
    if how == 'base':
        more = {k: v for k, v in weights.items() if k.startswith('blocks.15.')}
        return weights | {k.replace('.15.', '.16.'): v for k, v in more.items()}
    if how == 'v1':
        return weights | {'pos_encoding.spatial_pos': torch.zeros(3136, 96)}
    if how == '32 frames':
        return weights | {'blocks.0.attn.rel_pos_t': torch.zeros(31, 96)}
    return {'conv1.weight': torch.zeros(3)}


@pytest.mark.parametrize('how, says', [
    ('tiny', 'has 10 blocks, the small one 16'),
    ('base', 'has 17 blocks, the small one 16'),
    ('v1', 'MViTv2 has no pos_encoding.spatial_pos'),
    ('32 frames', 'blocks.0.attn.rel_pos_t is (31, 96), but '
     'backbone.blocks.0.attn.rel_pos_t is (15, 96) in'),
    ('resnet', 'but conv1.weight'),
])  # fmt: skip
def test_another_model_is_refused(how, says, tiny, tmp_path, capsys):
    source = tmp_path / 'in.pth'
    torch.save(spoil(small('torchvision', tiny), how), source)
    assert_refused(TOOL, capsys, source, tmp_path / 'out.pth', says=says)


def test_code_in_a_checkpoint_is_not_run(tmp_path, capsys):
    source, marker = write_malicious(tmp_path, 'zip')
    assert_refused(TOOL, capsys, source, tmp_path / 'out.pth', says='shutil.copyfile')
    assert not marker.exists()
