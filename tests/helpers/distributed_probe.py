"""What one rank of a distributed run sees.

Without a launcher it is the single process that the ranks are compared with.
"""

from __future__ import annotations

import os
from pathlib import Path

import torch
from mmaction.registry import HOOKS
from mmengine.hooks import Hook

from tests.helpers.forked_runs import drawn_runner, redirect
from tests.helpers.numeric import depth_of

CLIPS = 14
#: Over all ranks: the last batch of an epoch has 14 - 2 * 6 clips.
GLOBAL_BATCH = 6


@HOOKS.register_module()
class ProbeHook(Hook):
    """Keep the gradients of each iteration, and a random number of the model's."""

    def __init__(self):
        self.draws = []
        self.gradients = []

    def before_train_iter(self, runner, *args, **kwargs):
        state = torch.get_rng_state()
        self.draws.append(torch.rand(1).item())
        torch.set_rng_state(state)

    def before_train(self, runner):
        wrapper = runner.optim_wrapper
        wrapper.optimizer.register_step_pre_hook(self.keep)
        self.names = [name for name, _ in runner.model.named_parameters()]
        self.parameters = list(runner.model.parameters())

    def keep(self, *_):
        # A parameter without a gradient fails here.
        self.gradients.append([p.grad.clone() for p in self.parameters])


def options_of(folder, rank, world_size, launcher, **options):
    return {
        'launcher': launcher,
        'train_dataloader.batch_size': GLOBAL_BATCH // world_size,
        'train_dataloader.dataset.clips': CLIPS,
        'train_dataloader.dataset.log': f'{folder}/clips{rank}.txt',
        'val_dataloader.dataset.clips': CLIPS - 1,
        'val_dataloader.batch_size': 2,
        'val_evaluator.dump': f'{folder}/metrics.json',
        'train_cfg.max_epochs': 1,
        # AdamW makes of the rounding of a tiny gradient a whole step.
        'optim_wrapper.optimizer': dict(type='SGD', lr=0.1, momentum=0.9),
        # Numbers of their own on each rank, and batch statistics, are another test's.
        'model.data_preprocessor.blending': None,
        'model.data_preprocessor.color_jitter': None,
        'model.neck.lifting.drop_path': 0.0,
        'model.cls_head.dropout_ratio': 0.0,
        'model.backbone.plain': True,
        **options,
    }


def probe(folder, rank=0, world_size=1, launcher='none'):
    """Validate, train an epoch and validate; write what was seen to ``rank.pt``."""
    folder = Path(folder)
    runner = drawn_runner(
        folder / 'run', options_of(folder, rank, world_size, launcher)
    )
    hook = ProbeHook()
    runner.register_hook(hook)
    runner.train()
    model = getattr(runner.model, 'module', runner.model)
    ema = next(h for h in runner.hooks if type(h).__name__ == 'EMAHook')
    seen = dict(
        names=hook.names,
        depth=3 * depth_of(model),  # three iterations
        gradients=hook.gradients,
        draws=hook.draws,
        weights=model.state_dict(),
        ema=ema.ema_model.module.state_dict(),
        find_unused=getattr(runner.model, 'find_unused_parameters', False),
    )
    # A loss that is spoilt on one rank is skipped by all.
    task = dict(type='PoisonedLoss', label=3, factor=float('nan'))
    spoilt = drawn_runner(
        folder / 'spoilt',
        options_of(
            folder, rank, world_size, launcher,
            **{
                'train_dataloader.dataset.log': None,
                'model.cls_head.loss_cls': dict(type='DisentanglementLoss', task=task),
                'custom_hooks': [dict(type='FiniteLossHook', action='skip')],
                'val_cfg': None, 'val_dataloader': None, 'val_evaluator': None,
                'default_hooks.checkpoint.save_best': None,
            },
        ),
    )  # fmt: skip
    spoilt.train()
    model = getattr(spoilt.model, 'module', spoilt.model)
    hook = next(h for h in spoilt.hooks if type(h).__name__ == 'FiniteLossHook')
    seen |= dict(spoilt=model.state_dict(), skipped=hook.skipped)
    torch.save(seen, folder / f'{rank}.pt')


def rank_probe(folder, rank, world_size, port):
    """:func:`probe` in a process of its own, its output in ``log<rank>.txt``."""
    os.environ.update(
        RANK=str(rank), LOCAL_RANK=str(rank), WORLD_SIZE=str(world_size),
        MASTER_ADDR='127.0.0.1', MASTER_PORT=str(port),
    )  # fmt: skip
    with open(f'{folder}/log{rank}.txt', 'a') as file:
        redirect(file)
        probe(folder, rank, world_size, 'pytorch')
