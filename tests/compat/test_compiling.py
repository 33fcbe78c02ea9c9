"""Compiled training."""

from pathlib import Path

import pytest

from tests.helpers.compat_runs import with_and_without

#: Each starts processes, which import torch and the corrected packages.
pytestmark = pytest.mark.slow

PROBABILITIES = """
import numpy as np
import torch
from mmcv.cnn.bricks import DropPath

path = DropPath(np.linspace(0, 0.5, 3)[1])
print(type(path.drop_prob).__name__)
torch.manual_seed(0)
print(path.drop_prob == 0.25, path(torch.ones(9, 1)).tolist())
"""


def test_probabilities_are_numbers_of_python(tmp_path: Path) -> None:
    corrected, broken = with_and_without(
        'take_numbers_as_probabilities', PROBABILITIES, tmp_path
    )
    assert corrected.ok, corrected.err
    kind, drawn = corrected.out.splitlines()
    of_numpy, same = broken.out.splitlines()
    assert (kind, of_numpy) == ('float', 'float64')
    assert drawn == same and drawn.startswith('True [[')
