"""The switch between implementations, and a GPU without Triton."""

import os
import warnings
from importlib import import_module
from importlib.util import find_spec

import pytest
import torch

from ifdd_mmaction.errors import InputError
from ifdd_mmaction.models.layers.depthwise import choice, depthwise_pool, using
from tests.helpers.depthwise import CASES, draw, exact
from tests.helpers.golden import ROOT
from tests.helpers.interpreters import run_python
from tests.helpers.numeric import assert_close
from tests.models.layers.test_fused_mvit_block import build_pair

SCRIPT = """
import ifdd_mmaction
import torch
from tests.models.layers.test_fused_mvit_block import SIZE, build_pair, run
_, ours = build_pair()
operators = set()
class Watch(torch.utils._python_dispatch.TorchDispatchMode):
    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        operators.add(function.name())
        return function(*args, **(kwargs or {}))
with Watch():
    run(ours, torch.rand(1, 3, *SIZE, dtype=torch.double))
print(*sorted(name for name in operators if name.startswith('ifdd')))
"""


@pytest.mark.slow
@pytest.mark.parametrize(
    'choice, operators',
    [
        ('', 'ifdd::depthwise_pool ifdd::depthwise_pool_grad_input '
             'ifdd::depthwise_pool_grad_weight'),
        ('torch', ''),
    ],
)  # fmt: skip
def test_the_environment_chooses(choice, operators):
    env = os.environ | {'PYTHONPATH': str(ROOT), 'IFDD_DEPTHWISE': choice}
    result = run_python(['-W', 'ignore', '-c', SCRIPT], env=env)
    assert result.stdout.strip() == operators, result.stderr


def test_any_choice_has_the_same_result():
    x, weight = draw((1, 3, 8, 8), 2, 4, (3, 3, 3), torch.float32)
    operands = x.requires_grad_(), weight.requires_grad_()
    results = []
    for name in ('auto', 'onednn', 'torch'):
        with using(name):
            y = depthwise_pool(*operands, (1, 2, 2))
            results.append([y, *torch.autograd.grad(y.square().sum(), operands)])
    for result in results[1:]:
        for a, b in zip(result, results[0], strict=True):
            assert_close(a, b, x[..., 0].numel())


def test_an_unknown_choice_is_refused_before_a_run_begins(monkeypatch):
    monkeypatch.setattr(choice, '_chosen', 'cudnn')
    with pytest.raises(InputError, match='IFDD_DEPTHWISE=cudnn: set it to one of auto'):
        build_pair()


def test_a_choice_that_does_not_take_the_tokens_says_what_it_takes():
    x, weight = draw((1, 2, 4, 4), 1, 4, (3, 3, 3), torch.float32)
    with using('onednn'), pytest.raises(InputError, match='on a CPU, not on meta'):
        choice.run('forward', x.to('meta'), (3, 3, 3), weight, (1, 1, 1))
    # Without the package it cannot be imported; with it, it takes other tokens.
    with (
        using('triton'),
        pytest.raises((InputError, ImportError), match=r'GPU|triton'),
    ):
        depthwise_pool(x, weight, (1, 1, 1))


def test_a_triton_that_does_not_work_is_reported_once(monkeypatch):
    """As on a GPU: Triton is missing here, or it finds no GPU to compile for."""
    monkeypatch.setattr(choice, '_failure', None)
    monkeypatch.setattr(choice, 'GPU', 'cpu')
    if find_spec('triton'):
        triton = import_module('ifdd_mmaction.models.layers.depthwise._triton')
        monkeypatch.setattr(triton, 'DEVICE', 'cpu')
    *shape, stride = CASES[1]
    x, weight = draw(*shape, torch.float32)
    operands = x.requires_grad_(), weight.requires_grad_()
    expected = exact(*operands, stride)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter('always')
        y = depthwise_pool(*operands, stride)
        found = torch.autograd.grad(y, operands, torch.ones_like(y))
    said = [str(w.message) for w in caught if 'depthwise' in str(w.message)]
    assert len(said) == 1 and 'Triton does not work here (' in said[0]
    assert 'IFDD_DEPTHWISE=triton shows the whole error' in said[0]
    terms = x[..., 0].numel()
    assert_close(y, expected, terms)
    wanted = torch.autograd.grad(expected, operands, torch.ones_like(expected))
    for a, b in zip(found, wanted, strict=True):
        assert_close(a, b, terms)
