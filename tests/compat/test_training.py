"""Training options."""

import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.helpers.compat_runs import TEST, run, with_and_without

#: Each starts processes, which import torch and the corrected packages.
pytestmark = pytest.mark.slow


def test_num_workers_0_needs_no_other_change(tmp_path: Path) -> None:
    script = TEST % (True, None)
    corrected, broken = with_and_without('load_without_workers', script, tmp_path)
    assert corrected.ok and "{'count': 2}" in corrected.out
    assert 'num_workers=0: persistent_workers ignored' in corrected.out + corrected.err
    assert 'persistent_workers option needs num_workers > 0' in broken.last


def test_deterministic_sets_the_cublas_workspace(tmp_path: Path) -> None:
    script = """
import os
from mmengine.runner import Runner
runner = object.__new__(Runner)
runner._deterministic = None
for deterministic in False, True:
    runner.set_randomness(seed=3, deterministic=deterministic)
    print(os.environ.get('CUBLAS_WORKSPACE_CONFIG'))
"""
    name = 'CUBLAS_WORKSPACE_CONFIG'
    assert name not in os.environ
    corrected = run(script, tmp_path)
    assert corrected.out.split() == ['None', ':4096:8'], corrected.err
    chosen = run(script, tmp_path, **{name: ':16:8'})
    assert chosen.out.split() == [':16:8', ':16:8'], chosen.err
    broken = run(script, tmp_path, without=('set_cublas_workspace',))
    assert broken.out.split() == ['None', 'None'], broken.err


OPTIONS = """
import warnings
import torch
from mmengine.optim import AmpOptimWrapper
from mmengine.runner import runner
from torch import nn

compat.apply_to_models()
from mmaction.models import I3DHead
from mmaction.structures import ActionDataSample


def amp():
    optimizer = torch.optim.SGD([nn.Parameter(torch.zeros(1))], lr=1.0)
    return AmpOptimWrapper(dtype='bfloat16', optimizer=optimizer).cast_dtype


def head(method):
    samples = [ActionDataSample().set_gt_label(label) for label in (0, 1)]
    scores = torch.rand(2, 7, dtype=torch.bfloat16)
    return getattr(I3DHead(7, 4, topk=1), method)(scores, samples)


def checkpointing():
    model = nn.Module()
    model.blocks = nn.ModuleList([nn.Linear(2, 2)])
    model.last = nn.Linear(2, 2)
    passes = []
    forward = model.blocks[0].forward
    model.blocks[0].forward = lambda x: passes.append(x) or forward(x)
    runner.turn_on_activation_checkpointing(model, ['blocks', 'last'])
    # As after a frozen layer, the input of the last one has no gradient.
    model.last(model.blocks[0](torch.rand(1, 2)).detach()).sum().backward()
    gradient = model.last.weight.grad is not None
    model.blocks[0](torch.rand(1, 2)).tanh().sum().backward()
    return len(passes), gradient


for part in (
    amp,
    lambda: head('loss_by_feat')['loss_cls'].dtype,
    lambda: head('predict_by_feat')[0].pred_score.numpy().dtype,
    checkpointing,
):
    try:
        print(part())
    except Exception as error:
        print(type(error).__name__, str(error).splitlines()[0][:60])
"""


def test_training_options_need(tmp_path: Path) -> None:
    corrections = (
        'allow_amp_on_cpu',
        'score_in_float32',
        'use_non_reentrant_checkpoint',
    )
    with ThreadPoolExecutor() as pool:
        corrected, broken = pool.map(
            lambda without: run(OPTIONS, tmp_path, without=without), [(), corrections]
        )
    assert corrected.out.splitlines() == [
        'torch.bfloat16',
        'torch.float32',
        'float32',
        '(3, True)',
    ]
    amp, loss, predict, checkpointing = broken.out.splitlines()
    assert amp.startswith('AssertionError ``AmpOptimizerWrapper`` is only available')
    assert loss == predict == 'TypeError Got unsupported ScalarType BFloat16'
    # PyTorch raises an error, or finds no tensor that requires a gradient.
    assert 'True' not in checkpointing
