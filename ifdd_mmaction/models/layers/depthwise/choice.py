"""Which implementation computes a depthwise pooling: for reports of bugs, a switch.

``IFDD_DEPTHWISE=torch python tools/train.py ...``

- auto: Triton on a GPU, oneDNN on a CPU, and PyTorch's own elsewhere, where Triton is
  missing or fails to compile, and for what it does not take;
- triton, onednn: this one, or an error that says why not;
- torch: PyTorch's convolution and its own gradient, without our operator.
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib import import_module
from types import ModuleType

import torch
from torch import Tensor

from ....errors import InputError
from . import onednn, pytorch

SWITCH = 'IFDD_DEPTHWISE'
#: The devices for which there are kernels in Triton.
GPU = 'cuda'
NAMES = ('auto', 'triton', 'onednn', 'torch')
_chosen = os.environ.get(SWITCH) or 'auto'
#: Why Triton is not used in this process, once that is known.
_failure: str | None = None


def chosen() -> str:
    """Return the name of the choice.

    Raises:
        InputError: If the environment variable is something else.
    """
    if _chosen not in NAMES:
        raise InputError(f'{SWITCH}={_chosen}: set it to one of {", ".join(NAMES)}')
    return _chosen


@contextmanager
def using(name: str) -> Iterator[None]:
    """Choose one of ``NAMES`` for a while, in all threads."""
    global _chosen
    before, _chosen = _chosen, name
    try:
        chosen()
        yield
    finally:
        _chosen = before


def run(function: str, tokens: Tensor, kernel: Sequence[int], *args: object) -> Tensor:
    """Call the function of this name of the implementation for tokens.

    Args:
        tokens: Its first argument, ``(B, T, H, W, heads * C)``.
        kernel: (t, h, w) of the convolution.
        args: Its other arguments.

    Raises:
        InputError: If the one that was chosen does not take these tokens.
    """
    implementation = _find(tokens, kernel)
    device = tokens.device.type
    if torch.is_autocast_enabled(device):
        # What an implementation computes in float32 is not for autocast to cast.
        with torch.autocast(device, enabled=False):
            return run(function, tokens, kernel, *args)
    if chosen() == 'auto' and implementation.__name__.endswith('triton'):
        try:
            return getattr(implementation, function)(tokens, *args)
        except torch.cuda.OutOfMemoryError:
            raise
        except Exception as error:  # whatever its compiler says
            _report(error)
            implementation = pytorch
    return getattr(implementation, function)(tokens, *args)


def _find(tokens: Tensor, kernel: Sequence[int]) -> ModuleType:
    name, device = chosen(), tokens.device.type
    if name == 'onednn' and device != 'cpu':
        raise InputError(f'{SWITCH}=onednn: it takes tokens on a CPU, not on {device}')
    if name == 'triton':
        triton = _load_triton()
        if not triton.takes(tokens, kernel):
            raise InputError(
                f'{SWITCH}=triton: got {tokens.dtype} on {device} and a kernel of '
                f'{tuple(kernel)}, it takes {triton.TAKES}'
            )
        return triton
    if name == 'auto' and device == GPU and _failure is None:
        try:
            triton = _load_triton()
        except Exception as error:  # a broken installation raises anything
            _report(error)
        else:
            return triton if triton.takes(tokens, kernel) else pytorch
    on_cpu = device == 'cpu' and name != 'torch'
    return onednn if on_cpu else pytorch


def _load_triton() -> ModuleType:
    return import_module('._triton', __package__)


def _report(error: Exception) -> None:
    """Say, once for each process, why Triton is not used."""
    global _failure
    if _failure is None:
        lines = str(error).strip().splitlines() or ['']
        _failure = f'{type(error).__name__}: {lines[0]}'
        warnings.warn(
            "depthwise pooling runs in PyTorch's own kernels, which are slower: Triton "
            f'does not work here ({_failure}); {SWITCH}=triton shows the whole error',
            stacklevel=2,
        )
