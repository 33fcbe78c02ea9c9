"""Runs of a script with the corrections of ``ifdd_mmaction.compat``, or without some.

Imports are process-wide, so each run is a separate process.
"""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import ifdd_mmaction
from tests.helpers.interpreters import run_python

PACKAGE = Path(ifdd_mmaction.__file__).parent

# Applies all corrections except those named. The package's own __init__ would apply
# them all, so compat is imported below an empty package of the same name.
APPLY = """
import sys, types
package = types.ModuleType('ifdd_mmaction')
package.__path__ = [{path!r}]
sys.modules['ifdd_mmaction'] = package
import ifdd_mmaction.compat as compat
for correction in {without!r}:
    assert callable(getattr(compat, correction))
    setattr(compat, correction, lambda: None)
compat.apply()
"""

# One training run with a config written for GPUs; its result goes to <rank>.json.
TRAIN = """
import json, os
import torch
from mmengine.model import BaseModel
from mmengine.runner import Runner


class Tiny(BaseModel):
    def __init__(self):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.zeros(()))

    def forward(self, inputs, mode='tensor'):
        return dict(loss=(self.weight * inputs.float()).mean())


runner = Runner(
    Tiny(),
    work_dir='work',
    train_dataloader=dict(
        batch_size=2,
        dataset=[dict(inputs=value) for value in (0, 1, 2, 3)],
        sampler=dict(type='DefaultSampler', shuffle=False),
        collate_fn=dict(type='default_collate'),
    ),
    train_cfg=dict(by_epoch=False, max_iters={iters}),
    optim_wrapper=dict(optimizer=dict(type='SGD', lr=1.0)),
    default_hooks=dict(
        checkpoint=dict(type='CheckpointHook', interval=1, by_epoch=False)
    ),
    launcher={launcher!r},
    env_cfg=dict(dist_cfg=dict(backend='nccl')),
    resume={iters} > 1,
)
model = runner.train()
result = dict(
    iter=runner.iter,
    losses=len(runner.message_hub.get_scalar('train/loss').data[0]),
    weight=getattr(model, 'module', model).weight.item(),
)
if {launcher!r} == 'pytorch':
    configured = runner.wrap_model(dict(broadcast_buffers=False), Tiny())
    result.update(
        wrappers=[type(model).__name__, type(configured).__name__],
        world=torch.distributed.get_world_size(),
        backend=torch.distributed.get_backend(),
    )
with open(os.environ.get('RANK', '0') + '.json', 'w') as file:
    json.dump(result, file)
"""

# One test of a model whose checkpoint, a.pth, has a tensor of another name.
TEST = """
import torch
from mmengine.evaluator import BaseMetric
from mmengine.model import BaseModel
from mmengine.runner import Runner


class Tiny(BaseModel):
    def __init__(self):
        super().__init__()
        self.layer = torch.nn.Linear(1, 1)

    def forward(self, inputs, mode='tensor'):
        return [self.layer(inputs[:, None].float())]


class Count(BaseMetric):
    def process(self, data_batch, data_samples):
        self.results.append(1)

    def compute_metrics(self, results):
        return dict(count=len(results))


torch.save(dict(state_dict={'other.weight': torch.zeros(1, 1)}), 'a.pth')
loader = dict(
    batch_size=2,
    num_workers=0,
    persistent_workers=%s,
    dataset=[dict(inputs=value) for value in (0, 1, 2, 3)],
    sampler=dict(type='DefaultSampler', shuffle=False),
    collate_fn=dict(type='default_collate'),
)
runner = Runner(
    Tiny(),
    work_dir='work',
    test_dataloader=loader,
    test_cfg=dict(),
    test_evaluator=Count(),
    load_from=%r,
)
print(runner.test())
"""


def run(
    script: str,
    cwd: Path,
    *,
    without: tuple[str, ...] = (),
    before: str = '',
    launch: tuple[str, ...] = (),
    **env: str,
) -> SimpleNamespace:
    """Run ``before``, the corrections and ``script``, and return its result."""
    file = cwd / f'{"_".join(without) or "corrected"}.py'
    file.write_text(
        before + APPLY.format(path=str(PACKAGE), without=list(without)) + script
    )
    environment = {**os.environ, 'OMP_NUM_THREADS': '1', 'CUDA_VISIBLE_DEVICES': '-1'}
    environment |= env
    if launch or 'LD_PRELOAD' in env:
        done = subprocess.run(
            [sys.executable, *launch, str(file)],
            cwd=cwd,
            env=environment,
            capture_output=True,
            text=True,
            timeout=120,
        )
    else:
        done = run_python([file], cwd, environment)
    error = done.stderr.strip().splitlines()
    return SimpleNamespace(
        ok=done.returncode == 0,
        returncode=done.returncode,
        out=done.stdout,
        err=done.stderr,
        last=error[-1] if error else '',
    )


def with_and_without(
    correction: str, *args: Any, **kwargs: Any
) -> Iterator[SimpleNamespace]:
    """:func:`run` with every correction and without the named one."""
    removals: list[tuple[str, ...]] = [(), (correction,)]
    return (run(*args, without=without, **kwargs) for without in removals)
