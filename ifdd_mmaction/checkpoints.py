"""Read checkpoints without running code that they contain.

A checkpoint is a pickle, and a pickle can call any function. This module, and MMEngine
once :mod:`.compat` is applied, reads with ``weights_only=True``, which allows only the
classes of a list; ``docs/security.md`` describes what that guarantees.
"""

from __future__ import annotations

import codecs
import json
import math
import os
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pickle import UnpicklingError
from typing import IO, Any

import numpy as np
import torch
from mmengine.logging import HistoryBuffer
from safetensors import safe_open


class CheckpointError(UnpicklingError):
    """A checkpoint is damaged, would run code or cannot be saved."""


def read_checkpoint(
    file: str | os.PathLike | IO[bytes], map_location: Any = None
) -> Any:
    """Load a PyTorch checkpoint, or the weights of a ``.safetensors`` file.

    Args:
        file: Path of the checkpoint, or an open file of a PyTorch checkpoint.
        map_location: Passed to ``torch.load``; safetensors are loaded to the CPU.

    Returns:
        Content of the checkpoint. For safetensors a dict of ``state_dict`` and
        ``meta``: the metadata strings of the file, or, where one of them is named
        ``meta``, its value parsed as JSON.

    Raises:
        CheckpointError: If the file is damaged, or holds more than plain data.
        OSError: If the file cannot be opened.

    Example:
        >>> from ifdd_mmaction.checkpoints import read_checkpoint
        >>> torch.save(dict(state_dict=dict(weight=torch.ones(2))), 'model.pth')
        >>> read_checkpoint('model.pth')['state_dict']
        {'weight': tensor([1., 1.])}
        >>> torch.save(print, 'code.pth')
        >>> read_checkpoint('code.pth')
        Traceback (most recent call last):
        ...
        ifdd_mmaction...CheckpointError: code.pth refused: it contains ...print...
    """
    path = str(file) if isinstance(file, (str, os.PathLike)) else 'the checkpoint'
    if path.endswith(('.onnx', '.pt2')):
        raise CheckpointError(
            f'{path} is an exported model, not a checkpoint: use the checkpoint that '
            'it was exported from (`ifdd infer` runs ONNX files of tools/export.py)'
        )
    with _as_checkpoint_error(path):
        if path.endswith('.safetensors'):
            with safe_open(path, framework='pt') as weights:
                names = weights.keys()
                return dict(
                    state_dict={name: weights.get_tensor(name) for name in names},
                    meta=_meta(dict(weights.metadata() or {})),
                )
        return torch.load(file, map_location=map_location, weights_only=True)


def _meta(strings: dict[str, str]) -> dict[str, Any]:
    meta = json.loads(strings['meta']) if 'meta' in strings else strings
    if not isinstance(meta, dict):
        raise UnpicklingError(f'meta is a {type(meta).__name__}, not a dict')
    return meta


@contextmanager
def _as_checkpoint_error(name: str) -> Iterator[None]:
    """Raise the errors of a reader as CheckpointError with one line.

    Raises:
        CheckpointError: For any error except OSError and MemoryError.
    """
    try:
        yield
    except (OSError, MemoryError, CheckpointError):
        raise
    except Exception as error:  # damaged pickles raise errors of many types
        raise CheckpointError(f'{name} refused: {_reason(error)}') from error


def _reason(error: Exception) -> str:
    text = str(error)
    if own := re.search(r'a checkpoint may not .+', text):
        return f'{own[0]}; none of its code was run'
    foreign = (
        re.search(r'GLOBAL ([\w.]+)', text)
        or re.search(r'unrecognized function (<.+?>)', text)
        or re.search(r'but got (<class .+?>)', text)
    )
    if foreign:
        return (
            f'it contains {foreign[1]}, and loading that could run any code; none of '
            'its code was run. If you trust the file, save only its state dict and '
            'load that'
        )
    what = text.strip().split('\n')[-1]
    if 'weights_only' in text:
        what = 'it is a pickle of other objects than tensors'
    return (
        f'not a checkpoint that can be read safely ({type(error).__name__}: {what}); '
        'it is damaged or has another format'
    )


# --- what MMEngine's checkpoints hold besides tensors -------------------------------
#
# A MessageHub pickles HistoryBuffers with their arrays and four methods, and NumPy
# scalars (mmengine#1655). NumPy's own classes cannot be allowed for that: a pickle can
# call `ndarray((1,), 'O', bytes)`, which interprets the bytes as pointers to objects,
# and can change a dtype to do the same. So the names in the pickle are mapped to the
# restricted classes and functions below.

_CODES = ('f8', 'f4', 'i8', 'i4', 'b1', 'u1')


class _Dtype:
    """Replaces ``numpy.dtype`` in a checkpoint; allows numbers and bool only."""

    def __init__(self, code: str, align: bool = False, copy: bool = False) -> None:
        if code not in _CODES:
            raise UnpicklingError(f'a checkpoint may not hold NumPy data of {code!r}')
        self.dtype = np.dtype(code)

    def __setstate__(self, state: tuple) -> None:
        order, fields = state[1], state[2:5]
        if order not in ('<', '>', '|', '=') or any(f is not None for f in fields):
            raise UnpicklingError(f'a checkpoint may not hold a NumPy dtype {state}')
        self.dtype = self.dtype.newbyteorder(order)


class _Array(np.ndarray):
    """Replaces ``numpy.ndarray`` in a checkpoint; never holds objects."""

    def __new__(cls, *args: Any) -> _Array:
        raise UnpicklingError(f'a checkpoint may not create a NumPy array of {args!r}')

    def __setstate__(self, state: tuple) -> None:
        _, shape, kind, fortran, data = state
        if not isinstance(kind, _Dtype) or not isinstance(data, bytes):
            raise UnpicklingError(
                f'a checkpoint may not hold a NumPy array of {kind!r} in a '
                f'{type(data).__name__}'
            )
        if min(shape, default=0) < 0 or (
            math.prod(shape) * kind.dtype.itemsize != len(data)
        ):
            raise UnpicklingError(
                f'a checkpoint may not hold {len(data)} bytes as an array {shape}'
            )
        super().__setstate__((1, shape, kind.dtype, fortran, data))  # type: ignore

    def __reduce__(self) -> Any:
        # Saved again as an ordinary NumPy array.
        return np.asarray(self).__reduce__()


def _reconstruct(kind: type, shape: tuple, typecode: Any) -> _Array:
    return np.empty(0).view(_Array)


def _scalar(kind: _Dtype, data: bytes) -> Any:
    if not isinstance(kind, _Dtype):
        raise UnpicklingError(f'a checkpoint may not hold a NumPy scalar of {kind!r}')
    (value,) = np.frombuffer(data, kind.dtype)
    return value


def _history_buffer_getattr(owner: Any, name: str) -> Any:
    if owner is HistoryBuffer and name in ('min', 'max', 'mean', 'current'):
        return getattr(owner, name)
    raise UnpicklingError(f'a checkpoint may not read {name!r} of {owner!r}')


def _named(function: Callable[..., Any], module: str, name: str) -> Callable[..., Any]:
    # add_safe_globals registers a callable by its own name; before torch 2.6 no other
    # name can be given.
    def alias(*args: Any) -> Any:
        return function(*args)

    alias.__module__, alias.__name__, alias.__qualname__ = module, name, name
    return alias


_Dtype.__module__, _Dtype.__name__, _Dtype.__qualname__ = 'numpy', 'dtype', 'dtype'
_Array.__module__, _Array.__name__, _Array.__qualname__ = 'numpy', 'ndarray', 'ndarray'

#: For ``torch.serialization.add_safe_globals``. NumPy 2 renamed numpy.core; files of
#: both versions can be read.
SAFE_GLOBALS: list[Any] = [
    HistoryBuffer,
    # How pickles of protocol 2 hold bytes; torch allows it itself since 2.5.
    codecs.encode,
    _Dtype,
    _Array,
    *(
        _named(function, f'numpy.{core}.multiarray', name)
        for core in ('core', '_core')
        for name, function in (('_reconstruct', _reconstruct), ('scalar', _scalar))
    ),
    _named(_history_buffer_getattr, 'builtins', 'getattr'),
]
