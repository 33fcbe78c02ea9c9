"""Shared settings and fixtures of all tests."""

import atexit
import gc
import os
import shutil
import signal
import tempfile

import pytest
import torch
from mmengine.logging import MMLogger
from mmengine.registry import init_default_scope

import ifdd_mmaction  # noqa: F401  registers everything

# Parallel processes of pytest (`make test`) and their children use one thread each; a
# single process uses two.
if 'PYTEST_XDIST_WORKER' in os.environ:
    os.environ['OMP_NUM_THREADS'] = '1'
torch.set_num_threads(
    int(os.environ.get('OMP_NUM_THREADS', min(2, os.cpu_count() or 1)))
)

# Keep the video index of the tests out of the user's cache.
os.environ['IFDD_CACHE'] = tempfile.mkdtemp(prefix='ifdd_cache_')
atexit.register(shutil.rmtree, os.environ['IFDD_CACHE'], ignore_errors=True)

# Background jobs and their children ignore SIGINT, which some tests send.
signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_collection_finish() -> None:
    """Take what is imported out of each collection of garbage.

    MMEngine collects garbage for each dataset that it builds: 0.2 s with all of it.
    """
    gc.collect()
    gc.freeze()


@pytest.fixture(autouse=True)
def _scope_and_seed():
    init_default_scope('mmaction')
    torch.manual_seed(0)


@pytest.fixture(autouse=True)
def _no_logger_of_another_test():
    """Remove loggers: they keep the captured stream of a test, which is closed."""
    for logger in MMLogger._instance_dict.values():
        for handler in logger.handlers[:]:
            if getattr(getattr(handler, 'stream', None), 'closed', False):
                logger.removeHandler(handler)
