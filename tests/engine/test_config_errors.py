"""What a wrong config or number raises before a run begins is one line."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest

from ifdd_mmaction.engine.config_errors import TRACEBACK
from tests.datasets.layouts import make_dfew
from tests.golden import load_tool
from tests.tools.runs import TINY, data_options

LOADERS = ('train', 'val', 'test')


@pytest.fixture(scope='module')
def data(tmp_path_factory) -> Path:
    return make_dfew(tmp_path_factory.mktemp('dfew'), clips_per_class=1, frames=10)


@pytest.fixture
def call(data, tmp_path, monkeypatch, capsys):
    """Run a tool in this process; return its exit code and last line of errors."""

    def run(tool: str, *args: object, options=(), config: Path = TINY):
        line = [tool, config, *args, '--work-dir', tmp_path / 'run']
        line += ['--cfg-options', *data_options(data, *LOADERS), *options]
        monkeypatch.setattr(sys, 'argv', [str(arg) for arg in line])
        with pytest.raises(SystemExit) as stop:
            load_tool(tool).main()
        error = capsys.readouterr().err
        assert 'Traceback' not in error, error
        return stop.value.code, error.strip().splitlines()[-1]

    return run


PIPELINE = 'train_dataloader.dataset.pipeline'
WRONG = {
    'train_dataloader.batch_size=0': r'batch_size=0: give a whole number of 1 or more',
    'train_dataloader.batch_size=two': r"batch_size='two': give a whole number",
    'train_dataloader.num_workers=-1': r'num_workers=-1: give a whole number of 0 or',
    f'{PIPELINE}.0.clip_len=0': r'SampleClip: clip_len=0',
    f'{PIPELINE}.0.type=NoSuchTransform': 'NoSuchTransform is not in the mmaction',
    'train_dataloader.dataset.split=training': r"split='training': choose one of",
    'train_dataloader.dataset.no_such=1': 'no_such',
    'model.backbone.no_such=1': 'no_such',
    'model.neck.lifting.num_heads=3': r'num_heads|divisible',
    'model.cls_head=5': r'cfg should be a dict',
    'optim_wrapper.optimizer.lr=-1': 'Invalid learning rate: -1',
    'optim_wrapper.type=NoSuchWrapper': 'NoSuchWrapper',
    'param_scheduler.0.no_such=1': 'no_such',
    'train_cfg.max_epochs=many': 'TypeError|ValueError',
    'load_from=absent.pth': r'absent\.pth',
    'default_hooks.checkpoint.save_best=5': 'save_best|str',
}


@pytest.mark.parametrize('option', WRONG)
def test_a_wrong_value_takes_one_line(call, option):
    code, said = call('train.py', options=[option])
    assert code == 2
    assert re.search(WRONG[option], said), said


@pytest.mark.parametrize(
    ('text', 'message'),
    [
        ('model = dict(', 'SyntaxError'),
        ('model = nothing', 'nothing'),
        ("_base_ = ['absent.py']", 'absent.py'),
        ('', 'must contain the key "type"'),
    ],
)
def test_a_wrong_config_takes_one_line(call, tmp_path, text, message):
    path = tmp_path / 'wrong.py'
    path.write_text(text)
    code, said = call('train.py', config=path)
    assert code == 2 and re.search(message, said), said


def test_a_wrong_value_of_testing(call, tmp_path):
    checkpoint = tmp_path / 'a.pth'
    checkpoint.write_bytes(b'no archive')
    options = ['test_evaluator.type=NoSuchMetric']
    code, said = call('test.py', checkpoint, options=options)
    assert code == 2 and 'NoSuchMetric' in said


def test_the_traceback_is_there_for_who_wants_it(call, monkeypatch):
    monkeypatch.setenv(TRACEBACK, '1')
    with pytest.raises(ValueError, match='Invalid learning rate'):
        call('train.py', options=['optim_wrapper.optimizer.lr=-1'])
