"""Resuming on a GPU, whose kernels repeat to the bit only where that is asked for."""

import pytest
import torch

from tests.engine.resume.test_resuming import assert_equal, load
from tests.helpers.forked_runs import DRAWN
from tests.helpers.golden import ROOT
from tests.helpers.processes import run_script

#: How far the weights of a resumed run may be from those of a whole one on a GPU
#: without ``--deterministic``, relative to their norm: docs/resume.md.
TOLERANCE = 1e-3
gpu = pytest.mark.skipif(not torch.cuda.is_available(), reason='needs a GPU')


def train(work_dir, device, *options):
    """Train, or go on, in a process as from the command line; return the last state."""
    command = [
        *(ROOT / 'tools' / 'train.py', DRAWN, '--work-dir', work_dir),
        *options,
        *('--cfg-options', 'default_hooks.checkpoint.by_epoch=False'),
        *('default_hooks.checkpoint.interval=2', 'train_dataloader.num_workers=2'),
        'default_hooks.checkpoint.max_keep_ckpts=-1',
    ]
    env = {'PATH': '', 'PYTHONPATH': str(ROOT), 'OMP_NUM_THREADS': '1'}
    if device == 'cpu':
        env['CUDA_VISIBLE_DEVICES'] = ''
    done = run_script(command, env=env)
    assert done.returncode == 0, done.stderr[-3000:]
    return load(work_dir / 'iter_18.pth')


@pytest.mark.slow
@pytest.mark.parametrize(
    'device, options',
    [
        ('cpu', ['--deterministic']),
        pytest.param('cuda', ['--deterministic'], marks=gpu),
        pytest.param('cuda', [], marks=gpu),
    ],
)
def test_resumed_within_an_epoch_it_ends_with_the_same_weights(
    tmp_path, device, options
):
    whole = train(tmp_path / 'whole', device, *options)
    middle = tmp_path / 'whole' / 'iter_8.pth'
    resumed = train(tmp_path / 'resumed', device, '--resume', middle, *options)
    assert not list((tmp_path / 'resumed').glob('iter_8.pth')), 'it went on from there'
    if options:
        for key in ('state_dict', 'ema_state_dict', 'optimizer', 'param_schedulers'):
            assert_equal(resumed[key], whole[key], key)
        return
    weights, others = (
        torch.cat([v.double().flatten().cpu() for v in state['state_dict'].values()])
        for state in (whole, resumed)
    )
    assert (weights - others).norm() <= TOLERANCE * weights.norm()
