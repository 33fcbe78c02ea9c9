"""Models of a config, a file of it, or the zoo, with the weights of a checkpoint."""

import doctest
import sys
from copy import deepcopy

import pytest
import torch
from mmaction.registry import MODELS
from mmengine.config import Config
from mmengine.model import BaseModel

from ifdd_mmaction.apis import build_model, class_names
from ifdd_mmaction.checkpoints import CheckpointError
from ifdd_mmaction.errors import InputError
from tests.helpers.checkpoints import CONFIG, DFEW, save_checkpoint


@pytest.fixture(scope='module')
def checkpoint(tmp_path_factory):
    return save_checkpoint(tmp_path_factory.mktemp('model') / 'a.pth')


@pytest.mark.parametrize('kind', ['file', 'name', 'config'])
def test_a_file_a_name_and_a_config_give_the_same_model(kind, checkpoint):
    read = Config.fromfile(CONFIG)
    config = dict(file=CONFIG, name=CONFIG.stem, config=read)[kind]
    before = deepcopy(read.to_dict())
    model = build_model(config, checkpoint, device='cpu')
    state = torch.load(checkpoint, weights_only=True)['state_dict']
    assert all(torch.equal(state[k], v) for k, v in model.state_dict().items())
    assert not any(module.training for module in model.modules())
    assert class_names(model) == DFEW
    assert model.dataset_meta == model.checkpoint_meta['dataset_meta']
    assert model.cfg.model.to_dict() == before['model']
    assert read.to_dict() == before


def test_the_neck_of_a_config_is_inferred_and_the_config_left_as_it_is(tmp_path):
    cfg = Config.fromfile(CONFIG)
    for number in ('in_channels', 'input_size'):
        cfg.model.neck.pop(number)
    cfg.model.neck.clip_shape = (16, 64, 64)
    model = build_model(cfg, device='cpu')
    assert (
        model.cls_head.in_channels == Config.fromfile(CONFIG).model.cls_head.in_channels
    )
    assert 'in_channels' not in cfg.model.neck and cfg.model == model.cfg.model


@MODELS.register_module()
class TakesItsConfigApart(BaseModel):
    """Does to its config what MMAction2 does for backbones of other libraries."""

    def __init__(self, backbone):
        super().__init__()
        backbone.pop('type')

    def forward(self, inputs, data_samples=None, mode='tensor'):
        return inputs


def test_a_model_that_takes_its_config_apart_leaves_it_whole():
    backbone = dict(type='torchvision.resnet18')
    cfg = Config(dict(model=dict(type='TakesItsConfigApart', backbone=backbone)))
    model = build_model(cfg, device='cpu')
    assert cfg.model.backbone.type == model.cfg.model.backbone.type == backbone['type']


def test_options_change_the_config_and_without_weights_there_is_no_meta():
    options = {'model.cls_head.num_classes': 3}
    model = build_model(CONFIG, device='cpu', cfg_options=options)
    assert model.cls_head.num_classes == 3
    assert model.checkpoint_meta == model.dataset_meta == {}
    with pytest.raises(InputError, match='names 7 classes, the model has 3'):
        class_names(model)


class Evil:
    def __reduce__(self):
        return (print, ('never',))


def test_what_cannot_be_built_or_loaded_is_refused(tmp_path, checkpoint, capsys):
    evil = tmp_path / 'evil.pth'
    torch.save(dict(state_dict={}, meta=Evil()), evil)
    refusal = r'refused: it contains (builtins\.)?print'
    with pytest.raises(CheckpointError, match=refusal):
        build_model(CONFIG, evil)
    assert 'never' not in capsys.readouterr().out
    for options, weights, device, message in (
        ({}, tmp_path / 'absent.pth', 'cpu', 'no checkpoint'),
        ({}, None, 'abacus', 'device abacus: '),
        (
            {'model.cls_head.num_classes': 'x'},
            None,
            'cpu',
            '^the model of the config: ',
        ),
        (
            {'model.backbone.spatial_size': 'x'},
            None,
            'cpu',
            '^the model of the config: ',
        ),
        ({'model.cls_head.num_classes': 3}, checkpoint, 'cpu', 'has 7 classes'),
    ):
        with pytest.raises(InputError, match=message) as refused:
            build_model(CONFIG, weights, device=device, cfg_options=options)
        assert '\n' not in str(refused.value)


def test_the_examples_run():
    failed, run = doctest.testmod(sys.modules['ifdd_mmaction.apis.models'])
    assert run >= 6 and not failed
