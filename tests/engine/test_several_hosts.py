"""Two hosts: network namespaces of one machine, with a cable between them."""

import os
import shutil
import subprocess
import sys
import uuid

import pytest
import torch

from tests.helpers.forked_runs import DRAWN
from tests.helpers.golden import ROOT

pytestmark = pytest.mark.slow


def ip(*args):
    return subprocess.run(['ip', *args], capture_output=True, text=True)


@pytest.fixture
def hosts():
    """Two namespaces with the addresses 10.231.7.1 and 10.231.7.2."""
    if os.geteuid() or not shutil.which('ip'):
        pytest.skip('network namespaces need root and iproute2')
    tag = uuid.uuid4().hex[:6]
    names = [f'ifdd{tag}{i}' for i in (1, 2)]
    try:
        for name in names:
            if said := ip('netns', 'add', name).stderr.strip():
                pytest.skip(f'no network namespaces here: {said}')
        ends = [f'v{tag}{i}' for i in (1, 2)]
        for args in (
            ['link', 'add', ends[0], 'type', 'veth', 'peer', 'name', ends[1]],
            *(['link', 'set', e, 'netns', n] for e, n in zip(ends, names, strict=True)),
        ):
            if said := ip(*args).stderr.strip():
                pytest.skip(f'no virtual network devices here: {said}')
        for i, (end, name) in enumerate(zip(ends, names, strict=True), start=1):
            ip('-n', name, 'addr', 'add', f'10.231.7.{i}/24', 'dev', end)
            for device in (end, 'lo'):
                ip('-n', name, 'link', 'set', device, 'up')
        yield list(zip(names, ends, strict=True))
    finally:
        for name in names:
            ip('netns', 'delete', name)


def test_two_hosts_train_one_model(hosts, tmp_path):
    processes = []
    for rank, (name, device) in enumerate(hosts):
        env = dict(
            os.environ, NNODES='2', NODE_RANK=str(rank), MASTER_ADDR='10.231.7.1',
            MASTER_PORT='29500', GLOO_SOCKET_IFNAME=device, OMP_NUM_THREADS='1',
            PYTHONPATH=str(ROOT),
            PATH=f'{os.path.dirname(sys.executable)}:{os.environ["PATH"]}',
        )  # fmt: skip
        # As on a cluster, the hosts share the work dir.
        command = ['tools/dist_train.sh', DRAWN, '1', '--work-dir', tmp_path / 'run']
        command += ['--cfg-options', 'train_cfg.max_epochs=1']
        with (tmp_path / f'log{rank}.txt').open('w') as log:
            processes.append(subprocess.Popen(
                ['ip', 'netns', 'exec', name, *map(str, command)],
                cwd=ROOT, env=env, stdout=log, stderr=log,
            ))  # fmt: skip
    codes = [process.wait(timeout=300) for process in processes]
    log = (tmp_path / 'log0.txt').read_text()
    assert codes == [0, 0], log[-4000:]
    # 12 clips on two hosts in batches of 2.
    assert 'Epoch(train) [1][3/3]' in log
    saved = torch.load(tmp_path / 'run' / 'epoch_1.pth', weights_only=True)
    assert len(saved['rank_buffers']) == 2
    assert 'Epoch(train)' not in (tmp_path / 'log1.txt').read_text()
