"""What every test shares."""

import atexit
import os
import shutil
import signal
import tempfile

import pytest
import torch
from mmengine.logging import MMLogger
from mmengine.registry import init_default_scope

import ifdd_mmaction  # noqa: F401  registers everything

# Processes of pytest that run beside each other (`make test`), and what they start,
# have a thread each; of a single one two are plenty.
if 'PYTEST_XDIST_WORKER' in os.environ:
    os.environ['OMP_NUM_THREADS'] = '1'
torch.set_num_threads(
    int(os.environ.get('OMP_NUM_THREADS', min(2, os.cpu_count() or 1)))
)

# What is known of the videos of the tests is no business of the user's cache.
os.environ['IFDD_CACHE'] = tempfile.mkdtemp(prefix='ifdd_cache_')
atexit.register(shutil.rmtree, os.environ['IFDD_CACHE'], ignore_errors=True)

# A job in the background is born deaf to Ctrl-C, and so is what it starts; some tests
# send one.
signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(autouse=True)
def _scope_and_seed():
    init_default_scope('mmaction')
    torch.manual_seed(0)


@pytest.fixture(autouse=True)
def _no_logger_of_another_test():
    """A logger keeps the stream that a test captured, which is closed by now."""
    for logger in MMLogger._instance_dict.values():
        for handler in logger.handlers[:]:
            if getattr(getattr(handler, 'stream', None), 'closed', False):
                logger.removeHandler(handler)
