"""Constants are made once for each shape."""

import pytest
import torch
from torch._subclasses.fake_tensor import FakeTensor, FakeTensorMode

from ifdd_mmaction.models.layers.relative_position import key_codes, relative_index

CPU = torch.device('cpu')
CONSTANTS = {
    'relative_index': lambda: relative_index(11, 13, CPU),
    'key_codes': lambda: key_codes((2, 3, 5), 16, CPU, torch.float32),
}
#: The same of sizes that nothing else asks for.
FIRST_FAKE = {
    'relative_index': lambda: relative_index(17, 19, CPU),
    'key_codes': lambda: key_codes((3, 5, 7), 24, CPU, torch.float32),
}


@pytest.mark.parametrize('name', CONSTANTS)
def test_a_constant_is_made_once(name):
    assert CONSTANTS[name]() is CONSTANTS[name]()


@pytest.mark.parametrize('name', CONSTANTS)
def test_fake_constants_do_not_serve_a_later_training(name):
    constant = FIRST_FAKE[name]
    with FakeTensorMode():
        assert isinstance(constant(), FakeTensor)
    kept = constant()
    assert type(kept) is torch.Tensor
    with FakeTensorMode():
        assert isinstance(constant(), FakeTensor)
    assert constant() is kept
