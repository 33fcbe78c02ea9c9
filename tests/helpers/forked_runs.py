"""Runs for processes that are forked where everything is imported."""

from __future__ import annotations

import os
import stat
import sys
import time
from pathlib import Path

from mmaction.registry import HOOKS
from mmengine.config import Config
from mmengine.hooks import Hook
from mmengine.registry import init_default_scope
from mmengine.runner import Runner

import ifdd_mmaction  # noqa: F401
import tests.helpers.drawn_clips  # noqa: F401
from ifdd_mmaction.apis.training import choose_checkpoint
from tests.helpers.golden import ROOT, load_tool

DRAWN = ROOT / 'tests' / 'data' / 'drawn.py'


@HOOKS.register_module()
class ReportHook(Hook):
    """Tell the parent of each iteration and of each save, which takes a while."""

    def __init__(self, events=None, pause=0.02):
        self.events = events
        fsync = os.fsync

        def slow_fsync(descriptor):
            if stat.S_ISREG(os.fstat(descriptor).st_mode):
                self.send('save')
                time.sleep(pause)
            fsync(descriptor)

        os.fsync = slow_fsync

    def send(self, event):
        if self.events:
            self.events.send(event)

    def after_train_iter(self, runner, *args, **kwargs):
        self.send('iteration')


def drawn_runner(work_dir, options=None) -> Runner:
    """Return a runner of ``tests/data/drawn.py`` that resumes as the tool does."""
    cfg = Config.fromfile(DRAWN)
    cfg.merge_from_dict(options or {})
    cfg.work_dir = str(work_dir)
    init_default_scope('mmaction')
    choose_checkpoint(cfg)
    # Without a config the runner has none to format, which takes seconds.
    kwargs = {k: v for k, v in cfg.to_dict().items() if k in RUNNER}
    return Runner(**kwargs, experiment_name=f'{work_dir} {time.monotonic_ns()}')


def train(work_dir, options=None, events=None, env=None, pause=0.02):
    """Train in this process, its output in ``log.txt``."""
    os.environ.update(env or {})
    Path(work_dir).mkdir(exist_ok=True)
    with open(f'{work_dir}/log.txt', 'a') as file:
        redirect(file)
        runner = drawn_runner(work_dir, options)
        runner.register_hook(ReportHook(events, pause))
        runner.train()


RUNNER = (
    'model', 'work_dir', 'train_dataloader', 'val_dataloader', 'train_cfg', 'val_cfg',
    'optim_wrapper', 'param_scheduler', 'val_evaluator', 'default_hooks',
    'custom_hooks', 'load_from', 'resume', 'visualizer', 'default_scope', 'randomness',
    'launcher', 'auto_scale_lr', 'env_cfg',
)  # fmt: skip


def tool(name, *args, output, before=None):
    """Run a tool of ``tools/`` as from the command line, its output in a file."""
    sys.argv = [name, *map(str, args)]
    with open(output, 'a') as file:
        redirect(file)
        if before:
            before()
        load_tool(name).main()


def redirect(file):
    """Send all that this process says to a file."""
    # By descriptor: also what libraries and the interpreter itself say.
    for descriptor in (1, 2):
        os.dup2(file.fileno(), descriptor)
