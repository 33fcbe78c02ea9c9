import json

import numpy as np
import pytest
import torch
from mmengine.config import Config

from ifdd_mmaction.apis import TorchPredictor
from ifdd_mmaction.apis.models import read_config
from ifdd_mmaction.errors import InputError
from tests.helpers.checkpoints import CONFIG, DFEW, save_checkpoint
from tests.helpers.golden import ROOT
from tests.helpers.numeric import assert_close, depth_of

MAFW = ROOT / 'configs' / 'ifdd_vit_mafw.py'


@pytest.fixture(scope='module')
def checkpoint(tmp_path_factory):
    return save_checkpoint(tmp_path_factory.mktemp('model') / 'a.pth')


def clips(n, m=1):
    return torch.randint(0, 256, (n, m, 3, 16, 64, 64), dtype=torch.uint8)


def test_probabilities_are_those_of_the_model(checkpoint):
    predictor = TorchPredictor(CONFIG, checkpoint, 'cpu')
    assert predictor.classes == DFEW
    data = clips(3)
    shares = predictor(data)
    assert shares.shape == (3, 7) and shares.dtype == np.float32
    assert_close(shares.sum(1), np.ones(3), 7)
    model = predictor.model
    assert not model.training
    with torch.no_grad():
        inputs = (data.float() - 127) / 64
        feats, _ = model.extract_feat(inputs, test_mode=True)
        expected = model.cls_head(feats).softmax(1)
    assert_close(shares, expected, depth_of(model))


@pytest.mark.parametrize('average', ['score', 'prob', None])
def test_views_of_a_clip_are_averaged(checkpoint, average):
    cfg = Config.fromfile(CONFIG)
    cfg.model.cls_head.average_clips = average
    predictor = TorchPredictor(cfg, checkpoint, 'cpu')
    data = clips(2, 3)
    shares = predictor(data)
    each = predictor(data.flatten(0, 1)[:, None]).reshape(2, 3, 7)
    if average == 'prob':
        expected = each.mean(1)
    else:
        expected = np.exp(np.log(each).mean(1))
        expected /= expected.sum(1, keepdims=True)
    assert_close(shares, expected, depth_of(predictor.model))


def test_the_names_are_the_checkpoints_before_those_of_the_config(tmp_path):
    names = ('a', 'b', 'c', 'd', 'e', 'f', 'g')
    named = save_checkpoint(tmp_path / 'named.pth', classes=names)
    assert TorchPredictor(CONFIG, named).classes == names
    bare = save_checkpoint(tmp_path / 'bare.pth', classes=None)
    assert [name.lower() for name in TorchPredictor(CONFIG, bare).classes] == list(DFEW)
    cfg = Config.fromfile(CONFIG)
    cfg.test_dataloader.dataset.metainfo = dict(classes=names)
    assert TorchPredictor(cfg, bare).classes == names
    cfg.test_dataloader = dict()
    with pytest.raises(InputError, match='neither the checkpoint nor the config'):
        TorchPredictor(cfg, bare)
    few = save_checkpoint(tmp_path / 'few.pth', classes=names[:5])
    with pytest.raises(InputError, match='names 5 classes, the model has 7'):
        TorchPredictor(CONFIG, few)


def no_neck(cfg):
    del cfg.model.neck


def more_classes(cfg):
    cfg.model.cls_head.num_classes = 11


def deeper(cfg):
    cfg.model.backbone.arch.num_layers = 5


def wider(cfg):
    cfg.model.neck.in_channels = [32, 68]


def no_model(cfg):
    cfg.model = dict()


def unknown(cfg):
    cfg.model.backbone.type = 'NoSuchBackbone'


@pytest.mark.parametrize(
    'change, message',
    [
        (no_neck, 'weights of a neck, the config has none'),
        (more_classes, 'has 7 classes, the config has 11'),
        (deeper, r'it lacks 24 of .* tensors, such as backbone\.blocks\.4'),
        (wider, r'of another shape, .*neck\.'),
        (no_model, 'has no model'),
        (unknown, 'NoSuchBackbone'),
    ],
)
def test_a_config_of_another_model_is_refused_in_one_line(checkpoint, change, message):
    cfg = Config.fromfile(CONFIG)
    change(cfg)
    with pytest.raises(InputError, match=message) as caught:
        TorchPredictor(cfg, checkpoint)
    assert '\n' not in str(caught.value)


class Evil:
    def __reduce__(self):
        return (print, ('never',))


def test_what_is_no_checkpoint_or_config_is_refused(tmp_path, checkpoint, capsys):
    text = tmp_path / 'a.pth'
    text.write_text(json.dumps({}))
    evil = tmp_path / 'evil.pth'
    torch.save(dict(state_dict={}, meta=Evil()), evil)
    broken = tmp_path / 'broken.py'
    broken.write_text('model = dict(')
    for config, weights, message in (
        (CONFIG, tmp_path / 'absent.pth', 'no checkpoint'),
        (CONFIG, text, 'not a checkpoint that can be read safely'),
        (CONFIG, evil, r'refused: it contains (builtins\.)?print'),
        ('absent.py', checkpoint, r'no config absent\.py'),
        (broken, checkpoint, 'is no config'),
    ):
        with pytest.raises(InputError, match=message) as caught:
            TorchPredictor(config, weights)
        assert '\n' not in str(caught.value)
        assert str(caught.value).count('can be read safely') <= 1
    assert 'never' not in capsys.readouterr().out


@pytest.mark.parametrize(
    'options', [{'param_scheduler.9.type': 'X'}, {'model.cls_head.num_classes.x': 1}]
)
def test_options_without_a_place_are_refused_in_one_line(options):
    with pytest.raises(InputError, match=r'^--cfg-options: ') as caught:
        read_config(CONFIG, options)
    assert '\n' not in str(caught.value)


def test_an_exported_model_is_no_checkpoint(tmp_path):
    for name in ('a.onnx', 'a.pt2'):
        (tmp_path / name).write_bytes(b'')
        with pytest.raises(InputError, match=f'{name} is an exported model, not a'):
            TorchPredictor(CONFIG, tmp_path / name)
