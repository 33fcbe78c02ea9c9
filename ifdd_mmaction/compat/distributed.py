"""Corrections of distributed training: torchrun without a GPU, gloo, FSDP."""

import atexit
import contextlib
import glob
import time
from typing import Any

import torch
from mmengine.device import get_device


def _destroy_process_group() -> None:
    if torch.distributed.is_initialized():
        torch.distributed.destroy_process_group()


def init_dist_on_cpu() -> None:
    """Let MMEngine's pytorch launcher run on a CPU: it sets a CUDA device.

    Without an accelerator the default backend, nccl, is replaced by gloo.
    """
    from mmengine.dist import utils

    upstream = utils._init_dist_pytorch
    if get_device() != 'cpu' or upstream.__module__ == __name__:
        return

    def init_dist(backend: str, init_backend: str = 'torch', **kwargs: Any) -> None:
        if init_backend != 'torch':
            return upstream(backend, init_backend=init_backend, **kwargs)
        backend = 'gloo' if backend == 'nccl' else backend
        torch.distributed.init_process_group(backend=backend, **kwargs)
        # MMEngine does not destroy the group, and PyTorch warns about it.
        atexit.register(_destroy_process_group)

    utils._init_dist_pytorch = init_dist


def wait_for_gloo_threads() -> None:
    """Wait at exit for gloo's threads, which may abort the process (pytorch#190489).

    After a collective, such a thread releases the tensors, for which it needs Python's
    global interpreter lock. If the interpreter is already being finalized, Python
    before 3.14 terminates the thread, and C++ aborts the process (SIGABRT). Destroying
    the process group is not enough: a DDP wrapper that still exists keeps the threads.
    """
    atexit.unregister(_wait_for_gloo_threads)
    # Registered first, so called last: after the group is destroyed.
    atexit.register(_wait_for_gloo_threads)


def _wait_for_gloo_threads(limit: float = 60.0) -> None:
    """Wait until gloo's threads are idle, at most ``limit`` seconds."""
    end, before = time.monotonic() + limit, None
    while (now := _gloo_threads()) and time.monotonic() < end:
        # Idle: nothing ran during the sleep, in which other threads can get the lock.
        if now == before and all('State:\tS' in status for status in now):
            return
        before = now
        time.sleep(0.01)


def _gloo_threads() -> list[str]:
    """Return the state and the context switches of gloo's threads; Linux only."""
    found = []
    for file in glob.glob('/proc/self/task/*/status'):
        with (
            contextlib.suppress(OSError),
            open(file) as status,
        ):  # the thread may have ended
            name, *lines = status.read().splitlines()
            if name.endswith('pt_gloo_runloop'):
                kept = ('State:', 'Pid:', 'voluntary_ctxt', 'nonvoluntary_ctxt')
                found.append('\n'.join(x for x in lines if x.startswith(kept)))
    return found


def wrap_ddp_on_cpu() -> None:
    """Remove the GPU ``device_ids`` that MMEngine passes to DDP for a model on the CPU.

    Does nothing where there is an accelerator.
    """
    from mmengine.model import MMDistributedDataParallel

    upstream = MMDistributedDataParallel.__init__
    if get_device() != 'cpu' or upstream.__module__ == __name__:
        return

    def __init__(self: Any, *args: Any, **kwargs: Any) -> None:
        upstream(self, *args, **{**kwargs, 'device_ids': None})

    MMDistributedDataParallel.__init__ = __init__


def name_fsdp_arguments() -> None:
    """Let MMEngine's FSDPStrategy resume: PyTorch 2.1 changed an argument order.

    Passed by name, the arguments of ``FSDP.optim_state_dict_to_load`` fit all versions.
    """
    from mmengine._strategy.fsdp import FSDP, FSDPStrategy

    def load_optim_state_dict(self: Any, state_dict: dict) -> None:
        state = FSDP.optim_state_dict_to_load(
            optim_state_dict=state_dict,
            model=self.model,
            optim=self.optim_wrapper.optimizer,
        )
        self.optim_wrapper.load_state_dict(state)

    FSDPStrategy.load_optim_state_dict = load_optim_state_dict
