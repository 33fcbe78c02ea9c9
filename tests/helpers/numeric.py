"""The rule by which tests compare results of networks, losses and transforms.

::

    |found - expected| <= SAFETY * sqrt(n) * u * max |expected|

- u is the unit roundoff of the coarser type of the two sides: 2^-53 of float64, 2^-24
  of float32, 2^-8 of bfloat16.
- n is the number of roundings on the way to a value: of each weight that it passes, the
  terms of the sums over its columns (forwards) and over its rows (backwards), see
  :func:`depth_of`. Roundings add up like a random walk, so the error grows with sqrt(n)
  (Higham and Mary, "A new approach to probabilistic rounding error analysis", 2019).
- SAFETY is for what n leaves out: sums over tokens, and terms that cancel.

Wherever it can be, the side of this package is computed in float64. Its own rounding is
then 1e-13, whichever kernels a processor picks, and what is compared is either float64
as well (a stock model, single clips) or a constant: numbers of the authors' code, with
the rounding of the float32 run that made them. A test whose subject is a coarser type
compares that type's result with the float64 one.

Outside of the rule are: copies, choices and repetitions of the very same call, which
are equal to the bit; means of a few numbers in plain Python, at ``pytest.approx``'s
default; and statistics of random draws, pixels of lossy files and times of frames,
whose bounds say what they are made of.

``tests/numeric_matrix.py`` runs the tests that use this on all kernels that a processor
has, and ``tests/mutations.py`` shows that the bounds notice small faults; their results
are in ``tests/numeric_matrix.md``. Both collect what :func:`check` notes in the file
that the environment variable IFDD_NUMERIC_LOG names.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

SAFETY = 4.0


def depth_of(*modules: nn.Module) -> int:
    """Return how many terms are summed through the weights of modules, both ways.

    For a weight ``(rows, ...)`` these are its columns and its rows.
    """
    weights = (p for module in modules for p in module.parameters())
    return sum(p.shape[0] + p[0].numel() for p in weights)


def tolerance(depth: int, dtype: torch.dtype) -> float:
    """Return the largest error allowed, relative to the largest value."""
    return SAFETY * depth**0.5 * torch.finfo(dtype).eps / 2


def coarser(*values: Tensor) -> torch.dtype:
    """Return the floating-point type with the largest unit roundoff."""
    types = [v.dtype for v in values if v.is_floating_point()]
    return max(types, key=lambda dtype: torch.finfo(dtype).eps)


def check(error: float, bound: float, name: str = '') -> None:
    """Assert that an error is within its bound; record the ratio if requested."""
    if 'IFDD_NUMERIC_LOG' in os.environ:
        test = os.environ['PYTEST_CURRENT_TEST'].rpartition(' ')[0]
        line = json.dumps([test, error / bound if bound else float(error > 0), name])
        with Path(os.environ['IFDD_NUMERIC_LOG']).open('a') as file:
            file.write(line + '\n')
    assert error <= bound, f'{name} is off by {error:.3g}, allowed are {bound:.3g}'


def assert_close(
    found: Tensor | np.ndarray | float,
    expected: Tensor | np.ndarray | float,
    depth: int,
    *,
    scale: float | None = None,
    dtype: torch.dtype | None = None,
    name: str = '',
) -> None:
    """Assert that values are equal except for rounding.

    Args:
        depth: n of the rule.
        scale: Instead of the largest absolute value of ``expected``, where rounding
            comes from larger numbers than these.
        dtype: That a side was computed in, where it is stored in a finer one.
    """
    found, expected = (
        side if isinstance(side, Tensor) else torch.from_numpy(np.asarray(side))
        for side in (found, expected)
    )
    assert found.shape == expected.shape, (name, found.shape, expected.shape)
    dtype = dtype or coarser(found, expected)
    found, expected = found.detach().double(), expected.detach().double()
    scale = expected.abs().max().item() if scale is None else scale
    error = (found - expected).abs().max().item()
    check(error, scale * tolerance(depth, dtype), name)


def assert_gradients_close(
    found: Mapping[str, Tensor], expected: Mapping[str, Tensor], depth: int
) -> None:
    """Assert that gradients by name are equal except for rounding.

    A gradient that should be 0, as of a bias that adds the same to all scores of a
    query, is what rounding leaves of much larger terms: where the finer side's is
    within the bound of the largest of all, it is compared at their scale.
    """
    assert found.keys() == expected.keys()
    largest = max(g.abs().max().item() for g in expected.values())
    for name, gradient in expected.items():
        sides = (found[name], gradient)
        finest = min(sides, key=lambda side: torch.finfo(side.dtype).eps)
        zero = finest.abs().max().item() <= largest * tolerance(depth, finest.dtype)
        assert_close(*sides, depth, scale=largest if zero else None, name=name)
