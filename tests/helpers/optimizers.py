"""A run of two optimizers, on batches that are no dicts."""

from __future__ import annotations

import torch
from mmengine.model import BaseModel
from mmengine.optim import OptimWrapper, OptimWrapperDict
from mmengine.runner import Runner
from torch import nn


class TwoParts(BaseModel):
    """Two layers, each trained by an optimizer of its own; the loss may be spoilt."""

    def __init__(self, spoilt: tuple[int, ...] = ()) -> None:
        super().__init__()
        self.first = nn.Linear(3, 3)
        self.second = nn.Linear(3, 1)
        self.spoilt = spoilt
        self.steps = 0

    def forward(self, inputs, mode='loss'):
        return {'loss': self.second(self.first(torch.stack(inputs))).square().mean()}

    def train_step(self, data, optim_wrapper):
        (inputs,) = data
        self.steps += 1
        for name in ('first', 'second'):
            loss = self(inputs)['loss']
            if self.steps in self.spoilt and name == 'second':
                loss = loss * float('nan')
            optim_wrapper[name].update_params(loss)
        return {'loss': loss.detach()}


def two_optimizers(work_dir, accumulative_counts=1, resume=False, **model) -> Runner:
    """Return a runner of two epochs of three iterations; a batch is ``[inputs]``."""
    torch.manual_seed(0)
    parts = TwoParts(**model)
    wrappers = {
        name: OptimWrapper(
            torch.optim.SGD(getattr(parts, name).parameters(), lr=0.1),
            accumulative_counts=accumulative_counts,
        )
        for name in ('first', 'second')
    }
    clips = [(torch.full((3,), i / 10),) for i in range(6)]
    return Runner(
        parts,
        str(work_dir),
        train_dataloader=dict(
            dataset=clips,
            batch_size=2,
            num_workers=0,
            sampler=dict(type='DefaultSampler', shuffle=False),
        ),
        train_cfg=dict(type='ResumableTrainLoop', max_epochs=2),
        optim_wrapper=OptimWrapperDict(**wrappers),
        default_hooks=dict(
            checkpoint=dict(type='ResumableCheckpointHook', interval=1),
            logger=dict(type='LoggerHook', interval=1),
        ),
        custom_hooks=[
            dict(type='FiniteLossHook', action='skip'),
            dict(type='BadClipsHook'),
        ],
        default_scope='mmaction',
        resume=resume,
        experiment_name=f'{work_dir} {resume} {accumulative_counts}',
    )
