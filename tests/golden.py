"""Golden numbers of the authors' code, and loading them into our modules."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

FOLDER = Path(__file__).parent / 'data' / 'golden'
ROOT = Path(__file__).parents[1]


def load_golden(name: str) -> dict[str, Tensor]:
    """Return the arrays of ``tests/data/golden/<name>.npz`` as tensors."""
    with np.load(FOLDER / f'{name}.npz') as arrays:
        return {key: torch.from_numpy(np.asarray(arrays[key])) for key in arrays.files}


def pick(arrays: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    """Return the entries below a prefix, without it."""
    return {k[len(prefix) :]: v for k, v in arrays.items() if k.startswith(prefix)}


def load_tool(path: str):
    """Import a script of ``tools/`` as a module."""
    name = 'tool_' + Path(path).stem
    if name not in sys.modules:
        spec = importlib.util.spec_from_file_location(name, ROOT / 'tools' / path)
        module = importlib.util.module_from_spec(spec)
        sys.path.insert(0, str((ROOT / 'tools' / path).parent))
        sys.modules[name] = module
        spec.loader.exec_module(module)
    return sys.modules[name]


def ours(state: dict[str, Tensor], theirs: str, prefix: str) -> dict[str, Tensor]:
    """Rename the state of one of the authors' modules to that of ours.

    Args:
        theirs: Where the module sits in the authors' model (``backbone.WaveLifts.``).
        prefix: Where ours sits in our recognizer (``neck.lifting.``).
    """
    convert = load_tool('convert/from_authors.py').from_authors
    return pick(convert({theirs + k: v for k, v in state.items()}), prefix)


def assert_gradients(module: nn.Module, expected: dict[str, Tensor]) -> None:
    """Every parameter has the expected gradient, relative to the tensor's maximum."""
    gradients = dict(module.named_parameters())
    assert gradients.keys() == expected.keys()
    for name, parameter in gradients.items():
        scale = expected[name].abs().max().clamp(min=1.0).item()
        torch.testing.assert_close(
            parameter.grad / scale, expected[name] / scale, atol=1e-5, rtol=0, msg=name
        )
