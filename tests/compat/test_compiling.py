"""Compiled training."""

from pathlib import Path

import pytest

from tests.helpers.compat_runs import with_and_without

#: Each starts processes, which import torch and the corrected packages.
pytestmark = pytest.mark.slow

PROBABILITIES = """
import torch
from mmaction.models import MViT

arch = dict(embed_dims=8, num_layers=3, num_heads=1, downscale_indices=[])
backbone = MViT(arch, drop_path_rate=0.2, init_cfg=None)
found = [block.drop_path.drop_prob for block in backbone.blocks]
print({type(probability).__name__ for probability in found})
torch.manual_seed(0)
print(found, backbone.blocks[2].drop_path(torch.ones(9, 1)).tolist())
"""


def test_probabilities_are_numbers_of_python(tmp_path: Path) -> None:
    corrected, broken = with_and_without(
        'take_numbers_as_probabilities', PROBABILITIES, tmp_path
    )
    kind, drawn = corrected.out.splitlines()
    assert kind == "{'float'}", corrected.err
    of_numpy, same = broken.out.splitlines()
    assert 'float64' in of_numpy
    assert drawn.partition(']')[2] == same.partition(']')[2]
    assert drawn.startswith('[0.0, 0.1, 0.2]')
