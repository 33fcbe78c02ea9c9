"""Weights are loaded completely, partly with a count, or not at all."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import mmaction
import pytest
import torch
from mmengine.config import Config
from torch import nn

from ifdd_mmaction.apis import TorchPredictor, get_model
from ifdd_mmaction.checkpoints import read_checkpoint
from ifdd_mmaction.errors import InputError
from ifdd_mmaction.nearest_config import model_shapes
from ifdd_mmaction.weights import (
    find_state,
    load_all,
    load_start,
    strip_prefixes,
)
from tests.helpers.golden import ROOT
from tests.helpers.layouts import make_dfew
from tests.helpers.runners import log_of, tiny_runner
from tests.helpers.tools import TINY, data_options, run_tool

pytestmark = pytest.mark.slow

VIT, CNN = (next(ROOT.glob(f'zoo/ifdd_{kind}_sample_*.pth')) for kind in ('vit', 'cnn'))
VIT_CONFIG = ROOT / 'configs' / 'ifdd_vit_sample.py'


class Net(nn.Module):
    """A small recognizer of 6 + 2 + 2 tensors."""

    def __init__(self, width: int = 4, classes: int = 3, neck: bool = True) -> None:
        super().__init__()
        self.backbone = nn.Sequential(
            nn.Linear(2, width), nn.Linear(width, width), nn.Linear(width, width)
        )
        if neck:
            self.neck = nn.Linear(width, width)
        self.cls_head = nn.Linear(width, classes)


WRAPPED: dict[str, tuple[Callable[[str], str], str]] = {
    'DDP': (lambda k: f'module.{k}', 'module.'),
    'compiled': (lambda k: f'_orig_mod.{k}', '_orig_mod.'),
    'compiled DDP': (lambda k: f'_orig_mod.module.{k}', 'module., _orig_mod.'),
    'DDP of compiled': (lambda k: f'module._orig_mod.{k}', 'module., _orig_mod.'),
    'compiled backbone': (
        lambda k: k.replace('backbone.', 'backbone._orig_mod.'), '_orig_mod.'
    ),
    'compiled layer': (lambda k: k.replace('.1.', '.1._orig_mod.'), '_orig_mod.'),
    'Lightning': (lambda k: f'model.{k}', 'model.'),
    'DDP of a wrapper': (lambda k: f'module.net.{k}', 'module., net.'),
    'checkpointed': (
        lambda k: k.replace('neck.', 'neck._checkpoint_wrapped_module.'),
        '_checkpoint_wrapped_module.',
    ),
}  # fmt: skip


@pytest.mark.parametrize(('rename', 'said'), WRAPPED.values(), ids=WRAPPED)
def test_prefixes_of_wrappers_are_removed(rename, said):
    state = Net().state_dict()
    stripped, removed = strip_prefixes({rename(k): v for k, v in state.items()}, Net())
    assert stripped.keys() == state.keys() and removed == said
    net = Net()
    load_all(net, stripped, 'a.pth')
    assert all(torch.equal(a, state[k]) for k, a in net.state_dict().items())


def test_names_without_prefixes_stay():
    for state in (Net().state_dict(), {'backbone.other.weight': torch.zeros(1)}, {}):
        assert strip_prefixes(state, Net()) == (dict(state), '')
    # A prefix of only some names is not removed.
    state = Net().state_dict()
    mixed = {k if 'neck' in k else f'module.{k}': v for k, v in state.items()}
    assert strip_prefixes(mixed, Net())[0].keys() == mixed.keys()


def test_two_tensors_of_one_name_raise_an_error():
    state = Net().state_dict()
    state['_orig_mod.neck.weight'] = torch.zeros(4, 4)
    with pytest.raises(InputError, match=r'a\.pth has two tensors neck\.weight'):
        strip_prefixes(state, Net(), 'a.pth')


@pytest.mark.parametrize(
    ('given', 'wanted', 'message'),
    [
        (Net(), Net(classes=7), 'a.pth has 3 classes, the config has 7'),
        (Net(neck=False), Net(), 'lacks 2 of 10 tensors, neck.weight, neck.bias'),
        (Net(), Net(neck=False), 'has 2 unexpected ones, neck.weight, neck.bias'),
        (Net(4), Net(5), r'has 9 of another shape, such as .*0.weight \(4, 2\) for'),
    ],
)
def test_mismatches_are_listed_in_one_line(given, wanted, message):
    with pytest.raises(InputError, match=message) as caught:
        load_all(wanted, given.state_dict(), 'a.pth')
    assert '\n' not in str(caught.value)


def test_counters_of_old_batch_norms_may_be_absent():
    norm = nn.BatchNorm3d(2)
    state = norm.state_dict()
    state.pop('num_batches_tracked')
    load_all(norm, dict(state), 'a.pth')


@pytest.mark.parametrize(
    ('content', 'message'),
    [
        ([1], 'holds a list, not a state dict'),
        ({}, 'no tensor in its state_dict; its keys are none'),
        ({'model': Net().state_dict(), 'epoch': 1}, 'its keys are model, epoch'),
        ({'state_dict': {}}, 'its keys are state_dict'),
        ({'state_dict': [1]}, 'its keys are state_dict'),
    ],
)
def test_content_without_a_state_dict(content, message):
    with pytest.raises(InputError, match=f'^a.pth .*{message}'):
        find_state(content, 'a.pth')


# --- training from other weights ----------------------------------------------------


def test_load_start_counts_matching_tensors():
    given, net = Net(classes=400), Net(classes=7)
    fresh = net.cls_head.weight.clone()
    state = dict(given.state_dict(), extra=torch.zeros(1))
    said = load_start(net, state, 'a.pth')
    assert said == (
        'a.pth: 8 of 10 tensors match by name and shape (backbone 6 of 6, neck 2 of 2, '
        'cls_head 0 of 2); of another shape: cls_head.weight, cls_head.bias; not in '
        'the model: 1, extra'
    )
    assert torch.equal(net.neck.weight, given.neck.weight)
    assert torch.equal(net.cls_head.weight, fresh)


def share(tensors: int) -> dict[str, torch.Tensor]:
    state = Net().state_dict()
    return {k: state[k] for k in list(state)[:tensors]}


@pytest.mark.parametrize('tensors', [6, 3])
def test_half_of_a_backbone_is_enough_to_start(tensors):
    assert f'{tensors} of 10 tensors' in load_start(Net(), share(tensors), 'a.pth')


@pytest.mark.parametrize(
    ('state', 'message'),
    [
        (share(2), r'too few tensors .* 2 of 10 by name and shape \(backbone 2 of 6'),
        (Net(width=5).state_dict(), r' 1 of 10 by name and shape \(backbone 0 of 6'),
        ({f'x{k}': v for k, v in Net().state_dict().items()}, ' 0 of 10 by name'),
        (Net().backbone.state_dict(), r'only a backbone: .*init_cfg=.*a\.pth'),
    ],
)
def test_too_few_matches_raise_an_error_and_load_nothing(state, message):
    net = Net()
    before = {k: v.clone() for k, v in net.state_dict().items()}
    with pytest.raises(InputError, match=message) as caught:
        load_start(net, state, 'a.pth')
    assert '\n' not in str(caught.value)
    assert all(torch.equal(v, before[k]) for k, v in net.state_dict().items())


STOCK = {path.stem: path for path in Path(mmaction.__path__[0], '.mim').rglob('*.py')}


@pytest.mark.parametrize(
    'path',
    [
        pytest.param(path, id=path.stem)
        for path in sorted((ROOT / 'configs').glob('ifdd_*.py'))
        if Config.fromfile(path).get('load_from')
    ],
)
def test_the_weights_that_configs_start_from_are_enough(path):
    cfg = Config.fromfile(path)
    name = re.sub(r'_\d{8}-\w+\.pth$', '', cfg.load_from.rsplit('/', 1)[1])
    # That of a converted checkpoint is called by its training.
    stock = STOCK.get(name) or STOCK[name.replace('_16x4x1_', '_32xb16-16x4x1-200e_')]
    given, own = (
        model_shapes(model) for model in (Config.fromfile(stock).model, cfg.model)
    )
    backbone = [key for key in own if key.startswith('backbone.')]
    taken = sum(given.get(key) == own[key] for key in backbone)
    assert taken >= 0.95 * len(backbone) > 100


# --- the runner and the tools ---------------------------------------------------------


@pytest.fixture(scope='module')
def data(tmp_path_factory):
    return make_dfew(tmp_path_factory.mktemp('dfew'), clips_per_class=1, frames=10)


@pytest.fixture(scope='module')
def whole(tmp_path_factory, data) -> dict:
    """A checkpoint of the tiny model, written by training."""
    folder = tmp_path_factory.mktemp('trained')
    tiny_runner(folder, dfew(data)).train()
    return torch.load(folder / 'epoch_1.pth', weights_only=True)


def dfew(data: Path) -> dict:
    return dict(type='DFEWDataset', data_root=str(data))


def saved(folder: Path, whole: dict, change: Callable[[dict], dict]) -> str:
    path = folder / 'changed.pth'
    torch.save(dict(whole, state_dict=change(dict(whole['state_dict']))), path)
    return str(path)


def without_bias(state: dict) -> dict:
    state.pop('cls_head.fc_cls.bias')
    return state


def compiled(state: dict) -> dict:
    return {f'_orig_mod.{k}': v for k, v in state.items()}


def foreign(state: dict) -> dict:
    return {f'other.{k}.weight': v for k, v in state.items()} | {'a': torch.zeros(1)}


@pytest.mark.parametrize('ema', [False, True], ids=['plain', 'ema'])
def test_testing_requires_all_weights(tmp_path, data, whole, ema):
    hooks = dict(custom_hooks=[dict(type='EMAHook')]) if ema else {}

    def scores(change) -> dict:
        path = saved(tmp_path, whole, change)
        return tiny_runner(tmp_path, dfew(data), load_from=path, **hooks).test()

    wanted = scores(dict)
    assert scores(compiled) == wanted
    assert 'removed _orig_mod. from the names' in log_of(tmp_path)
    for change, message in ((without_bias, 'lacks 1 of'), (foreign, 'lacks')):
        with pytest.raises(InputError, match=message):
            scores(change)


def test_resuming_requires_all_weights(tmp_path, data, whole):
    def resume(path: str) -> None:
        options = dict(load_from=path, resume=True)
        tiny_runner(tmp_path, dfew(data), **options).train()

    resume(saved(tmp_path, whole, compiled))
    with pytest.raises(InputError, match='lacks 1 of'):
        resume(saved(tmp_path, whole, without_bias))
    torch.save(whole['state_dict'], tmp_path / 'bare.pth')
    with pytest.raises(InputError, match='no training state to resume from'):
        resume(str(tmp_path / 'bare.pth'))


def test_training_logs_the_weights_it_starts_from(tmp_path, data, whole):
    def train(change) -> None:
        path = saved(tmp_path, whole, change)
        tiny_runner(tmp_path, dfew(data), load_from=path).train()

    train(lambda state: without_bias(compiled(state) and state))
    assert 'weights to start from: ' in log_of(tmp_path)
    assert 'cls_head 1 of 2' in log_of(tmp_path)
    with pytest.raises(InputError, match=r'matches too few tensors .*, 0 of'):
        train(foreign)


def test_the_checkpoint_of_another_model_ends_the_tool(tmp_path, data):
    options = ['--work-dir', tmp_path, '--cfg-options', *data_options(data, 'test')]
    result = run_tool('test.py', VIT_CONFIG, CNN, *options, check=2)
    line = result.stderr.strip().splitlines()[-1]
    assert line.startswith(f'{CNN} does not match the model of the config: it lacks')
    assert 'it lacks 132 of' in line
    assert 'the nearest in the zoo is ifdd_cnn_sample, which has 84 of the 84' in line
    assert 'dfer/WAR:' not in result.stdout


def test_mmaction2s_own_tool_does_not_test_random_weights(tmp_path, data, whole):
    tool = Path(mmaction.__path__[0]) / '.mim' / 'tools' / 'test.py'
    path = saved(tmp_path, whole, foreign)
    options = ['--work-dir', tmp_path, '--cfg-options', *data_options(data, 'test')]
    result = run_tool(str(tool), TINY, path, *options, check=None)
    assert result.returncode != 0 and 'does not match the model' in result.stderr


@pytest.mark.parametrize('name', ['module.', '_orig_mod.', 'module.recognizer.'])
def test_inference_requires_the_same_weights_as_testing(tmp_path, name, capsys):
    checkpoint = read_checkpoint(VIT)
    state = checkpoint['state_dict']
    changed = tmp_path / 'changed.pth'
    torch.save({name + k: v for k, v in state.items()}, changed)
    predictor = TorchPredictor(VIT_CONFIG, changed, 'cpu')
    assert 'from the names of its tensors' in capsys.readouterr().out
    model = get_model('ifdd_vit_sample', pretrained=changed)
    for found in (predictor.model.state_dict(), model.state_dict()):
        assert all(torch.equal(found[k], v) for k, v in state.items())
