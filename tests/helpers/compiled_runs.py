"""Compiled runs for processes that are forked where everything is imported."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import torch
from torch._dynamo.utils import counters

from tests.helpers.forked_runs import drawn_runner, redirect


def train(work_dir, compiled, **options):
    """Train the drawn run in this process; return its runner."""
    off = dict(val_cfg=None, val_dataloader=None, val_evaluator=None)
    off['default_hooks.checkpoint.save_best'] = None
    runner = drawn_runner(work_dir, off | options)
    # The kernels of PyTorch; what inductor computes is another test's.
    runner.cfg['compile'] = dict(backend='eager') if compiled else False
    runner.train()
    return runner


def train_both(folder, rank, world_size, port):
    """Train as it is and compiled under DDP; write the weights to ``rank.pt``."""
    os.environ.update(
        RANK=str(rank), LOCAL_RANK=str(rank), WORLD_SIZE=str(world_size),
        MASTER_ADDR='127.0.0.1', MASTER_PORT=str(port),
    )  # fmt: skip
    ddp = {'launcher': 'pytorch', 'train_cfg.max_epochs': 1}
    with open(f'{folder}/log{rank}.txt', 'a') as file:
        redirect(file)
        seen = {
            name: train(f'{folder}/{name}', name == 'compiled', **ddp)
            .model.module.state_dict()
            for name in ('plain', 'compiled')
        }  # fmt: skip
    seen['graphs'] = counters['stats']['unique_graphs']
    seen['breaks'] = dict(counters['graph_break'])
    torch.save(seen, f'{folder}/{rank}.pt')


def resume_compiled(folder):
    """Train three epochs at once, and the last two again from the first's end."""
    folder = Path(folder)
    keep = {'default_hooks.checkpoint.max_keep_ckpts': -1}
    with open(folder / 'log.txt', 'a') as file:
        redirect(file)
        train(folder / 'straight', True, **keep)
        (folder / 'resumed').mkdir()
        shutil.copy(folder / 'straight' / 'epoch_1.pth', folder / 'resumed')
        train(folder / 'resumed', True, resume=True, **keep)
