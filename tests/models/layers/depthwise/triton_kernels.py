"""Tests of the kernels in Triton, for a process that has it.

    TRITON_INTERPRET=1 python -m pytest tests/models/layers/depthwise/triton_kernels.py

``test_implementations.py`` starts it. Interpreted, results are compared with
float64; otherwise the kernels are compiled for GPUs, which needs none.
"""

import pytest
import torch
from triton.backends.compiler import GPUTarget
from triton.compiler import ASTSource, compile

from ifdd_mmaction.models.layers.depthwise import (
    _triton,
    _triton_kernels,
    depthwise_pool,
    using,
)
from tests.helpers.depthwise import CASES, HALF, assert_exact, draw, exact
from tests.helpers.numeric import assert_close
from tests.models.layers.test_fused_mvit_block import SIZE, build_pair, run
from tests.models.layers.test_fused_mvit_block import assert_same as assert_same_model

INTERPRETED = _triton.DEVICE == 'cpu'
interpreted = pytest.mark.skipif(not INTERPRETED, reason='not interpreted')


@interpreted
@pytest.mark.parametrize(
    'case, dtype',
    [(case, torch.float32) for case in CASES]
    + [(case, dtype) for case in CASES[2:4] for dtype in HALF],
    ids=str,
)
def test_it_is_exact_and_sums_in_float32(case, dtype):
    assert_exact(_triton, case, dtype, torch.float32)


@interpreted
def test_a_sum_of_many_blocks_repeats_to_the_bit(monkeypatch):
    monkeypatch.setattr(_triton, 'PARTS', 3)
    monkeypatch.setattr(_triton, 'SUMMED', 4)
    x, weight = draw((1, 3, 4, 5), 2, 3, (1, 3, 3), torch.float32)
    sums = [_triton.grad_weight(x, x, weight.shape, (1, 1, 1)) for _ in range(2)]
    assert torch.equal(*sums)
    wide = weight.double().requires_grad_()
    exact(x, wide, (1, 1, 1)).backward(x.double())
    assert_close(sums[0], wide.grad, x.numel())


@interpreted
def test_the_operator_runs_it_with_both_gradients():
    size, heads, channels, kernel, stride = CASES[2]
    x, weight = draw(size, heads, channels, kernel, torch.float32)
    operands = x.requires_grad_(), weight.requires_grad_()
    expected = exact(*operands, stride)
    grad = torch.rand_like(expected)
    with using('triton'):
        found = depthwise_pool(*operands, stride)
        gradients = torch.autograd.grad(found, operands, grad.float())
    terms = x[..., 0].numel()
    assert_close(found, expected, terms)
    wanted = torch.autograd.grad(expected, operands, grad)
    for a, b in zip(gradients, wanted, strict=True):
        assert_close(a, b, terms)


@interpreted
def test_a_whole_model_equals_stock_mvit():
    stock, ours = build_pair()
    x = torch.rand(1, 3, *SIZE)
    expected = run(stock, x.double())
    with using('triton'):
        assert_same_model(ours, run(ours.float(), x), expected)


def compiled(kernel, dtype, stride, capability):
    """Compile a kernel for a GPU of some compute capability; return its binary."""
    constants = dict(
        ST=stride[0], SH=stride[1], SW=stride[2], KT=3, KH=3, KW=3, KP=4,
        BP=_triton.POSITIONS, BC=_triton.CHANNELS,
    )  # fmt: skip
    if kernel is _triton_kernels.grad_weight_kernel:
        constants['BP'] = _triton.SUMMED
    pointers = dict.fromkeys(('x', 'y', 'grad'), f'*{dtype}')
    pointers |= dict.fromkeys(('weight', 'parts'), '*fp32')
    names = kernel.arg_names
    kinds = dict.fromkeys(constants, 'constexpr') | pointers
    source = ASTSource(
        kernel,
        {name: kinds.get(name, 'i32') for name in names},
        {(names.index(name),): value for name, value in constants.items()
         if name in names},
    )  # fmt: skip
    return compile(source, target=GPUTarget('cuda', capability, 32)).asm['cubin']


@pytest.mark.skipif(INTERPRETED, reason='interpreted')
@pytest.mark.parametrize('capability', [80, 90])
@pytest.mark.parametrize('dtype, stride', [('bf16', (1, 1, 1)), ('fp32', (1, 2, 2))])
@pytest.mark.parametrize(
    'kernel', ['forward_kernel', 'grad_input_kernel', 'grad_weight_kernel']
)
def test_it_compiles_for_gpus(kernel, dtype, stride, capability):
    kernel = getattr(_triton_kernels, kernel)
    assert compiled(kernel, dtype, stride, capability)[:4] == b'\x7fELF'
