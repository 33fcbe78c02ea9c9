"""All corrections together; the other files test each of them."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

import ifdd_mmaction.compat as compat
from tests.helpers.compat_runs import PACKAGE

#: Each starts processes, which import torch and the corrected packages.
pytestmark = pytest.mark.slow


def test_importing_the_package_applies_the_corrections(tmp_path: Path) -> None:
    script = """
import sys
import ifdd_mmaction.compat
import mmaction.models
from mmengine.dist import utils
from mmengine.model import MMDistributedDataParallel
from mmengine.runner import checkpoint
import torch

assert 'ifdd_mmaction.compat' in str(sys.meta_path[0])
assert checkpoint.torch is not torch
assert torch.serialization.get_safe_globals()
for corrected in utils._init_dist_pytorch, MMDistributedDataParallel.__init__:
    assert corrected.__module__ == 'ifdd_mmaction.compat.distributed'
"""
    subprocess.run(
        [sys.executable, '-c', script],
        cwd=tmp_path,
        env={
            **os.environ,
            'CUDA_VISIBLE_DEVICES': '-1',
            'PYTHONPATH': os.pathsep.join(
                [str(PACKAGE.parent), os.environ.get('PYTHONPATH', '')]
            ),
        },
        check=True,
        timeout=120,
    )


def test_applying_again_changes_nothing() -> None:
    from mmaction.utils import dependency
    from mmengine.dist import utils
    from mmengine.model import MMDistributedDataParallel
    from mmengine.runner import Runner, checkpoint

    def state() -> list:
        return [
            list(sys.meta_path),
            dependency.WITH_MULTIMODAL,
            set(torch.serialization.get_safe_globals()),
            checkpoint.torch,
            checkpoint.load_url,
            utils._init_dist_pytorch,
            MMDistributedDataParallel.__init__,
            Runner.load_checkpoint,
            Runner.build_dataloader,
        ]

    compat.apply()
    applied = state()
    compat.apply()
    assert state() == applied
