"""Clips that cannot be read are replaced; the memory of workers stays flat."""

import json
import platform
import subprocess
import sys

import pytest
from mmaction.registry import DATASETS

from ifdd_mmaction.datasets import DatasetError
from tests.helpers.golden import ROOT
from tests.helpers.layouts import make_dfew

LOAD = [
    dict(type='SampleClip', clip_len=4),
    dict(type='LoadFrames'),
    dict(type='FormatShape', input_format='NCTHW'),
    dict(type='PackActionInputs'),
]


def build(root, **options):
    kind = dict(type='DFEWDataset', data_root=str(root), pipeline=LOAD)
    return DATASETS.build(dict(kind, **options))


def cut_off(root, *clips):
    for clip in clips:
        for frame in (root / f'Clip/clip_224x224_16f/{clip:05d}').iterdir():
            frame.write_bytes(frame.read_bytes()[:-40])


def test_a_bad_training_clip_is_replaced_whole(tmp_path):
    cut_off(make_dfew(tmp_path, 1, frames=4), 3)
    dataset = build(tmp_path)
    for _ in range(20):
        sample = dataset[2]['data_samples']
        assert sample.video_id != '3'
        assert sample.gt_label.item() == int(sample.video_id) - 1
        ((name, error), *_) = sample.bad_clips
        assert name == '3' and 'truncated JPEG' in error
    assert 'bad_clips' not in dataset[1]['data_samples']


def test_a_bad_test_clip_keeps_its_name_and_label(tmp_path):
    cut_off(make_dfew(tmp_path, 1, frames=4), 10, 11)
    dataset = build(tmp_path, split='test', bad_clips='count_wrong')
    sample = dataset[2]['data_samples']
    assert sample.video_id == '10' and sample.gt_label.item() == 2
    assert [name for name, _ in sample.bad_clips] == ['10']
    with pytest.raises(DatasetError, match='00010'):
        build(tmp_path, split='test')[2]


@pytest.mark.parametrize('options, choices', [
    (dict(split='test', bad_clips='replace'), 'error, count_wrong'),
    (dict(split='train', bad_clips='count_wrong'), 'error, replace'),
    (dict(split='train', bad_clips='skip'), 'error, replace'),
])  # fmt: skip
def test_what_would_change_the_protocol_is_refused(tmp_path, options, choices):
    with pytest.raises(DatasetError, match=choices):
        build(tmp_path, **options)


def test_a_set_that_cannot_be_read_at_all_ends_the_run(tmp_path):
    cut_off(make_dfew(tmp_path, 1, frames=4), *range(1, 8))
    with pytest.raises(DatasetError, match='10 clips in a row') as error:
        build(tmp_path)[0]
    assert 'and 5 more' in str(error.value)
    with pytest.raises(DatasetError, match='truncated JPEG'):
        build(tmp_path, bad_clips='error')[0]


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
# Forked, as our configs say; Python 3.14 starts workers in another way by default.
loader = DataLoader(
    dataset, num_workers=1, persistent_workers=True, multiprocessing_context='fork'
)
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
