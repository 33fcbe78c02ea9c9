"""The hook and the configs in configs/_base_/imbalance that use it."""

import logging
import re
from types import SimpleNamespace

import pytest
import torch
from mmaction.registry import HOOKS, MODELS
from mmengine.config import Config

from tests.datasets.test_class_counts import Plain
from tests.helpers.golden import ROOT
from tests.helpers.layouts import make_dfew, write_list
from tests.helpers.tools import data_options, run_tool

FRAGMENTS = ROOT / 'configs' / '_base_' / 'imbalance'


def runner(labels, *losses):
    model = torch.nn.ModuleList(map(MODELS.build, losses))
    return SimpleNamespace(
        model=torch.nn.Sequential(model),
        train_dataloader=SimpleNamespace(dataset=Plain(labels)),
        logger=logging.getLogger('test'),
    )


def test_all_losses_get_the_counts_but_those_that_were_given_some():
    run = runner(
        [0, 1, 1, 2],
        dict(type='DisentanglementLoss', task=dict(type='LogitAdjustedLoss')),
        dict(type='ClassWeightedLoss'),
        dict(type='ClassWeightedLoss', class_counts=[7, 8, 9]),
    )
    HOOKS.build(dict(type='ClassCountsHook')).before_train(run)
    first, second, third = run.model[0]
    assert first.task.class_counts.tolist() == second.class_counts.tolist() == [1, 2, 1]
    assert third.class_counts.tolist() == [7, 8, 9]


def test_a_hook_without_a_loss_that_takes_counts_is_refused():
    hook = HOOKS.build(dict(type='ClassCountsHook'))
    with pytest.raises(ValueError, match=r'no loss of the .* takes class counts'):
        hook.before_train(runner([0], dict(type='DisentanglementLoss')))


@pytest.mark.parametrize('base', ['ifdd_vit_dfew', 'ifdd_cnn_dfew', 'ifdd_cnn_sample'])
@pytest.mark.parametrize('name, changed', [
    ('class_balanced', {'train_dataloader.sampler.type'}),
    ('class_weighted', {'model.cls_head.loss_cls.task.type'}),
    ('logit_adjusted', {'model.cls_head.loss_cls.task.type'}),
])  # fmt: skip
def test_a_fragment_changes_one_thing_of_any_base(base, name, changed, monkeypatch):
    monkeypatch.setenv('IFDD_BASE', base)
    cfg = Config.fromfile(FRAGMENTS / f'{name}.py')
    plain = Config.fromfile(ROOT / 'configs' / f'{base}.py')
    for key in changed:
        *parents, leaf = key.split('.')
        inner = cfg
        for parent in parents:
            inner = inner[parent]
        assert inner[leaf] != plain.get(key)
    # Put back, the configs are the same.
    cfg.model.cls_head.loss_cls = plain.model.cls_head.loss_cls
    cfg.default_hooks.pop('class_counts', None)
    cfg.train_dataloader.sampler = plain.train_dataloader.sampler
    assert cfg.to_dict() == plain.to_dict()


@pytest.mark.slow
def test_training_keeps_the_counts_in_the_checkpoint_and_testing_loads_it(tmp_path):
    root = make_dfew(tmp_path / 'dfew', clips_per_class=2, frames=8)
    split = root / 'EmoLabel_DataSplit/train(single-labeled)/set_1.csv'
    # Three clips of class 0 and one of each other.
    write_list(split, [(1, 1), (2, 1), (3, 1), *((2 * k, k) for k in range(2, 8))])
    options = ['--cfg-options', *data_options(root, 'train', 'val', 'test')]
    options.append('train_cfg.max_epochs=1')
    config = FRAGMENTS / 'logit_adjusted.py'
    common = ['--work-dir', tmp_path / 'work', *options]
    base = dict(IFDD_BASE='../tests/data/tiny_dfew')
    result = run_tool('train.py', config, *common, **base)
    counts = [3, 1, 1, 1, 1, 1, 1]
    assert f'in the training set: {counts}' in result.stdout + result.stderr
    path = tmp_path / 'work' / 'epoch_1.pth'
    state = torch.load(path, weights_only=True)['state_dict']
    assert state['cls_head.loss_cls.task.class_counts'].tolist() == counts
    result = run_tool('test.py', config, path, *common, **base)
    assert not re.search('missing keys|unexpected key|size mismatch', result.stderr)
