"""Attention by matrix products, compared with float64, PyTorch's kernel and itself."""

import pytest
import torch
import torch.nn.functional as F
from mmengine.utils import digit_version
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from ifdd_mmaction.models.layers import attention
from ifdd_mmaction.models.layers.attention import attend
from tests.helpers.numeric import assert_close

#: (B, heads, L, C), S and C': also one query, and more queries than are taken at once.
CASES = [((2, 3, 7, 8), 5, 8), ((1, 2, 1, 16), 33, 16), ((2, 1, 50, 12), 9, 4)]


@pytest.fixture
def products(monkeypatch):
    """Choose them on any processor, for 20 numbers of a map at a time."""
    monkeypatch.setattr(attention, 'FASTER', True)
    monkeypatch.setattr(attention, 'PART', 20)


def draw(case, dtype=torch.bfloat16):
    (b, heads, length, c), keys, width = case
    torch.manual_seed(0)
    sizes = ((length, c), (keys, c), (keys, width))
    # Tokens lie as linear layers return them.
    return [
        torch.randn(b, n, heads, w).to(dtype).transpose(1, 2).requires_grad_()
        for n, w in sizes
    ]


@pytest.mark.parametrize('scale', [None, 0.7])
@pytest.mark.parametrize('case', CASES, ids=str)
def test_products_are_exact(case, scale, products):
    tokens = draw(case)
    wide = [x.detach().double().requires_grad_() for x in tokens]
    expected = F.scaled_dot_product_attention(*wide, scale=scale)
    grad = torch.randn(expected.shape).bfloat16()
    wanted = torch.autograd.grad(expected, wide, grad.double())
    found = attend(*tokens, scale)
    assert found.dtype == torch.bfloat16
    assert 'ifdd_attend' in type(found.grad_fn).__name__
    gradients = torch.autograd.grad(found, tokens, grad)
    (_, _, length, c), keys, width = case
    # Scores, weights and products are rounded, of sums of at most so many terms.
    depth = max(length, c, keys, width)
    names = ('output', 'query', 'key', 'value')
    for name, a, b in zip(names, (found, *gradients), (expected, *wanted), strict=True):
        assert a.dtype == torch.bfloat16
        assert_close(a, b, depth, name=name)


def test_taking_all_queries_at_once_changes_no_bit_of_the_output(products, monkeypatch):
    tokens = draw(CASES[2])
    found = attend(*tokens)
    monkeypatch.setattr(attention, 'PART', 10**6)
    assert torch.equal(found, attend(*tokens))


@pytest.mark.parametrize('faster', [True, False])
@pytest.mark.parametrize('dtype', [torch.float32, torch.float64, torch.bfloat16])
def test_what_products_are_no_faster_for_is_left_to_pytorch(faster, dtype, monkeypatch):
    monkeypatch.setattr(attention, 'FASTER', faster)
    tokens = draw(CASES[0], dtype)
    by_products = faster and dtype == torch.bfloat16
    found = attend(*tokens)
    assert ('ifdd_attend' in type(found.grad_fn).__name__) == by_products
    if not by_products:
        assert torch.equal(found, F.scaled_dot_product_attention(*tokens))
    # Dropping weights is PyTorch's.
    assert 'ifdd_attend' not in type(attend(*tokens, dropout=0.5).grad_fn).__name__


@pytest.mark.parametrize('case', CASES, ids=str)
def test_the_operator_is_registered_as_pytorch_asks(case, products):
    tokens = [x.detach().requires_grad_() for x in draw(case)]
    found = torch.library.opcheck(torch.ops.ifdd.attend.default, (*tokens, 0.5))
    assert set(found.values()) == {'SUCCESS'}


def test_a_compiler_takes_it_whole_and_equals_it(products):
    tokens = draw(CASES[0])
    compiled = torch.compile(attend, fullgraph=True, backend='aot_eager')
    expected, found = attend(*tokens), compiled(*tokens)
    assert torch.equal(found, expected)
    grad = torch.ones_like(found)
    for a, b in zip(
        torch.autograd.grad(found, tokens, grad),
        torch.autograd.grad(expected, tokens, grad),
        strict=True,
    ):
        assert torch.equal(a, b)


@pytest.mark.skipif(
    digit_version(torch.__version__) < digit_version('2.5'),
    reason='torch 2.4 counts no operators but its own',
)
def test_its_arithmetic_is_counted(products):
    counts = []
    for function in (attend, F.scaled_dot_product_attention):
        tokens = [x.detach() for x in draw(CASES[0])]
        with FlopCounterMode(display=False) as counter, sdpa_kernel(SDPBackend.MATH):
            function(*tokens)
        counts.append(counter.get_total_flops())
    assert counts[0] == counts[1] > 0
