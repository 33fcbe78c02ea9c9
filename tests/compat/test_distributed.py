"""Distributed training without a GPU."""

import json
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.helpers.compat_runs import TRAIN, run
from tests.helpers.processes import free_port

#: Each starts processes, which import torch and the corrected packages.
pytestmark = pytest.mark.slow


def test_two_processes_train_on_the_cpu(tmp_path: Path) -> None:
    corrected = run(
        TRAIN.format(iters=1, launcher='pytorch'),
        tmp_path,
        launch=('-m', 'torch.distributed.run', '--nproc_per_node', '2')
        + ('--master_port', str(free_port())),
    )
    assert corrected.ok, corrected.err
    for rank in range(2):
        assert json.loads((tmp_path / f'{rank}.json').read_text()) == {
            'iter': 1,
            'losses': 1,
            # The mean gradient of rank 0, with (0, 2), and of rank 1, with (1, 3).
            'weight': -1.5,
            'wrappers': ['MMDistributedDataParallel'] * 2,
            'world': 2,
            'backend': 'gloo',
        }


@pytest.mark.parametrize(
    ('correction', 'errors'),
    [
        # Of a torch built for the CPU, and of one built for CUDA, without a GPU.
        ('init_dist_on_cpu', ('_cuda_setDevice', 'NVIDIA driver', 'No CUDA GPUs')),
        ('wrap_ddp_on_cpu', ('device_ids',)),
    ],
)
def test_distributed_training_on_the_cpu_needs(
    tmp_path: Path, correction: str, errors: tuple[str, ...]
) -> None:
    env = dict(RANK='0', LOCAL_RANK='0', WORLD_SIZE='1', MASTER_ADDR='127.0.0.1')
    script = TRAIN.format(iters=1, launcher='pytorch')
    broken = run(
        script, tmp_path, without=(correction,), MASTER_PORT=str(free_port()), **env
    )
    assert not broken.ok
    assert any(error in broken.err for error in errors), broken.err


# Ends while a thread of gloo is about to release a tensor.
RELEASE = """
import os
import time
import torch
from mmengine.dist import init_dist
from mmengine.model import MMDistributedDataParallel


class SlowEnd:
    def __del__(self, sleep=time.sleep):
        sleep(2)  # while the interpreter finalizes, so that the thread continues


slow_end = SlowEnd()
init_dist('pytorch', backend='nccl')
model = MMDistributedDataParallel(torch.nn.Linear(1, 1))  # keeps the process group
asked = os.environ['SLOW_RELEASE']
held = asked + '.held'
while not os.path.exists(held):
    open(asked, 'a').close()
    while not os.path.exists(held):
        # Released by Python or by the thread, whichever is later.
        torch.distributed.all_reduce(torch.ones(3), async_op=True).wait()
    os.remove(asked)
print('held up')
"""


@pytest.mark.skipif(sys.platform != 'linux', reason='gloo threads are seen on Linux')
@pytest.mark.skipif(shutil.which('gcc') is None, reason='no C compiler (gcc)')
def test_a_thread_of_gloo_does_not_abort_a_finished_run(tmp_path: Path) -> None:
    source = Path(__file__).parents[1] / 'data/slow_release.c'
    library = tmp_path / 'slow_release.so'
    flags = ['-shared', '-fPIC', '-O1', '-o', str(library), str(source), '-ldl']
    subprocess.run(['gcc', *flags], check=True)
    env = dict(RANK='0', LOCAL_RANK='0', WORLD_SIZE='1', MASTER_ADDR='127.0.0.1')
    env.update(LD_PRELOAD=str(library), SLOW_RELEASE=str(tmp_path / 'asked'))
    env['MASTER_PORT'] = str(free_port())
    corrected = run(RELEASE, tmp_path, **env, HELD_SECONDS='5')
    assert (corrected.returncode, corrected.out) == (0, 'held up\n'), corrected.err
    if sys.version_info < (3, 14):
        without = ('wait_for_gloo_threads',)
        broken = run(RELEASE, tmp_path, without=without, **env, HELD_SECONDS='60')
        assert (broken.returncode, broken.out) == (-signal.SIGABRT, 'held up\n')
        assert 'terminate called without an active exception' in broken.err


def test_accelerators_keep_the_launcher_of_mmengine(tmp_path: Path) -> None:
    script = """
from mmengine.dist import utils
from mmengine.model import MMDistributedDataParallel
for function in utils._init_dist_pytorch, MMDistributedDataParallel.__init__:
    print(function.__module__)
"""
    before = 'import mmengine.device.utils as it; it.DEVICE = "cuda"\n'
    corrected = run(script, tmp_path, before=before)
    assert corrected.ok, corrected.err
    assert corrected.out.split() == [
        'mmengine.dist.utils',
        'mmengine.model.wrappers.distributed',
    ]
