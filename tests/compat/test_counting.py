"""Counting the operations of a model."""

import pytest

from tests.helpers.compat_runs import with_and_without

pytestmark = pytest.mark.slow

# A model that returns a number beside its tensor, as Recognizer2D does behind a neck.
COUNT = """
import torch
from mmengine.analysis import get_model_complexity_info


class Numbered(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.layer = torch.nn.Linear(4, 8, bias=False)

    def forward(self, x):
        return self.layer(x), dict(num_segs=1)


counted = get_model_complexity_info(Numbered(), (3, 4))
print('flops', counted['flops'], 'layer' in str(counted['out_table']))
"""


def test_a_model_that_returns_numbers_is_counted(tmp_path):
    mended, broken = with_and_without('count_beside_numbers', COUNT, tmp_path)
    assert f'flops {3 * 4 * 8} True' in mended.out, mended.err
    assert 'observable data dependence' in broken.err
