"""What computes a depthwise pooling, compared with float64.

The kernels in Triton are tested in its interpreter, and compiled for GPUs, in processes
that have Triton: `make test` installs it where they alone see it.
"""

import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest
import torch

from ifdd_mmaction.models.layers.depthwise import onednn, pytorch
from tests.helpers.depthwise import CASES, DTYPES, HALF, assert_exact
from tests.helpers.golden import ROOT

SITE = Path(sys.prefix) / 'triton'
#: How a Triton that finds no GPU is reported is tested with a real one, too.
REPORTED = 'test_a_triton_that_does_not_work_is_reported_once'


@pytest.mark.parametrize('dtype', [*DTYPES, torch.float64], ids=str)
@pytest.mark.parametrize('case', CASES, ids=str)
def test_onednn_is_exact_and_sums_weights_in_float32(case, dtype):
    assert_exact(onednn, case, dtype, torch.float32 if dtype in HALF else dtype)


@pytest.mark.parametrize('dtype', [torch.float32, torch.float64], ids=str)
@pytest.mark.parametrize('case', CASES, ids=str)
def test_pytorch_itself_is_exact(case, dtype):
    assert_exact(pytorch, case, dtype, dtype)


@pytest.mark.slow
@pytest.mark.parametrize('interpret', ['1', '0'], ids=['interpreted', 'compiled'])
def test_triton_passes_its_tests(interpret, tmp_path):
    if not (SITE / 'triton').is_dir() and find_spec('triton') is None:
        pytest.skip('no triton; `make test` installs it for the tests')
    tests = ['tests/models/layers/depthwise/triton_kernels.py']
    if interpret == '0':  # finds no GPU
        tests.append(f'tests/models/layers/depthwise/test_choice.py::{REPORTED}')
    folders = [str(ROOT), os.environ.get('PYTHONPATH', ''), str(SITE)]
    result = subprocess.run(
        [sys.executable, '-m', 'pytest', '-q', '-p', 'no:cacheprovider', '-rs', *tests],
        cwd=ROOT,
        env=os.environ | {
            'PYTHONPATH': os.pathsep.join(filter(None, folders)),
            'TRITON_INTERPRET': interpret, 'TRITON_CACHE_DIR': str(tmp_path),
        },
        capture_output=True,
        text=True,
        timeout=900,
    )  # fmt: skip
    assert result.returncode == 0, result.stdout[-4000:] + result.stderr[-2000:]
    assert ' passed' in result.stdout
