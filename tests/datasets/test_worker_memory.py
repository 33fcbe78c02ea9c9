"""What a worker of a data loader inherits and does not need is free for others."""

import json
import platform
import subprocess
import sys

import pytest

from tests.golden import ROOT

#: A process with 57 MiB of its heap free, in pieces, and a worker.
SCRIPT = """
import json, sys
from pathlib import Path
import numpy as np
import psutil
from torch.utils.data import DataLoader
import ifdd_mmaction
from ifdd_mmaction.datasets import tolerant_dataset

if sys.argv[1] == 'without':
    tolerant_dataset.return_free_memory = lambda: False

class Clips(tolerant_dataset.TolerantDataset):
    def load_data_list(self):
        return [dict(total_frames=1) for _ in range(8)]

def load(info):
    return info['total_frames']

def heap(pid):
    for line in Path(f'/proc/{pid}/smaps_rollup').read_text().splitlines():
        if line.startswith('Pss_Anon:'):
            return int(line.split()[1]) / 1024

blocks, between = [], []
for _ in range(600):
    blocks.append(np.ones(100_000, np.uint8))
    between.append(np.ones(20_000, np.uint8))
del blocks
dataset = Clips(
    ann_file='', pipeline=[load], test_mode=True, data_prefix={}
)
loader = DataLoader(dataset, num_workers=1, persistent_workers=True)
for batch in loader:
    pass
(worker,) = psutil.Process().children()
print(json.dumps(dict(worker=heap(worker.pid), items=int(batch))))
"""


@pytest.mark.slow
@pytest.mark.skipif(platform.libc_ver()[0] != 'glibc', reason='needs glibc')
def test_a_worker_does_not_keep_what_was_free_before_it():
    found = {}
    for which in ('with', 'without'):
        done = subprocess.run(
            [sys.executable, '-c', SCRIPT, which],
            env={'PATH': '', 'PYTHONPATH': str(ROOT), 'OMP_NUM_THREADS': '1'},
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, done.stderr
        result = json.loads(done.stdout.splitlines()[-1])
        assert result['items'] == 1
        found[which] = result['worker']
    # Two processes share the 57 MiB.
    assert found['with'] < found['without'] - 25, found
