"""What every test shares."""

import os

import pytest
import torch
from mmengine.registry import init_default_scope

import ifdd_mmaction  # noqa: F401  registers everything

# The tests compare numbers and run beside each other's processes: two threads are
# plenty, and the same everywhere.
torch.set_num_threads(min(2, os.cpu_count() or 1))


@pytest.fixture(autouse=True)
def _scope_and_seed():
    init_default_scope('mmaction')
    torch.manual_seed(0)
