"""Golden numbers of the authors' code, and loading them into our modules."""

from __future__ import annotations

import importlib.util
import json
import math
import sys
import zlib
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from tests.helpers.numeric import assert_gradients_close, check, tolerance

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / 'tests' / 'data' / 'golden'


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


def assert_gradients(
    module: nn.Module, expected: dict[str, Tensor], depth: int
) -> None:
    """Every parameter of a float64 module has the authors' gradient."""
    found = {name: p.grad for name, p in module.named_parameters()}
    assert_gradients_close(found, expected, depth)


def load_json(name: str) -> dict:
    """Return ``tests/data/golden/<name>.json``."""
    return json.loads((FOLDER / f'{name}.json').read_text())


def normal(name: str, shape: tuple[int, ...], scale: float = 1.0) -> Tensor:
    """Return random numbers seeded by a name, the same on every machine."""
    # The legacy generator's stream is frozen: real-size weights need no storing.
    generator = np.random.RandomState(zlib.crc32(name.encode()))
    values = generator.standard_normal(math.prod(shape)).reshape(shape)
    return torch.from_numpy((values * scale).astype(np.float32))


def fill_state_dict(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """Set every weight to the random value of its name in the authors' code."""
    return {
        name: _fill(name, tuple(value.shape)) if value.is_floating_point() else value
        for name, value in state.items()
    }


def _fill(name: str, shape: tuple[int, ...]) -> Tensor:
    if len(shape) == 1:  # norms around 1, biases around 0
        return float(name.endswith('.weight')) + normal(name, shape, 0.1)
    if '.rel_pos_' in name:
        return normal(name, shape, 0.2)
    if name.endswith(('spatial_pos', 'temporal_pos')):
        return normal(name, shape, 0.1)
    fan_in = math.prod(shape[1:])
    gain = 1.0
    if 'offset_project' in name:
        gain = 2.0  # shifts not close to 0, few of them saturated
    elif name.startswith('dim_project') or 'adapt_split.dim_project' in name:
        gain = math.sqrt(fan_in / 32)  # so that the correlations differ
    return normal(name, shape, gain / math.sqrt(fan_in))


def filled_module(theirs: str, parts: tuple[str, ...] = ('',)) -> dict[str, Tensor]:
    """Return a filled module of the authors' real-size model, by its own key names.

    Args:
        theirs: Where it sits in their model (``backbone.WaveLifts.``).
        parts: Prefixes below it to take.
    """
    shapes = load_json('reference_keys_DFEW')
    state = {key: torch.empty(shape) for key, shape in shapes.items()}
    return fill_state_dict(
        {k: v for k, v in pick(state, theirs).items() if k.startswith(parts)}
    )


def assert_statistics(x: Tensor, expected: dict, depth: int, name: str = '') -> None:
    """A float64 tensor of real size has the statistics of the authors' float32 one.

    Args:
        depth: See :mod:`tests.helpers.numeric`.
    """
    assert x.dtype == torch.float64
    x = x.detach().flatten()
    # Detects values in the wrong position.
    probe = torch.cos(0.001 * torch.arange(len(x), dtype=torch.float64))
    found = dict(
        mean=x.mean(), std=x.std(unbiased=False), min=x.min(), max=x.max(), l2=x.norm()
    )
    relative = tolerance(depth, torch.float32)
    highest = max(abs(expected['min']), abs(expected['max']))
    # An error e of the tensor changes its product with the probe by |e| |probe|.
    product = expected['l2'] * probe.norm().item()
    scales = dict.fromkeys(found, highest) | dict(l2=expected['l2'], dot=product)
    for key, value in dict(found, dot=x @ probe).items():
        error = abs(value.item() - expected[key])
        check(error, relative * scales[key], f'{name} {key}')
