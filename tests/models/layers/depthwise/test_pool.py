"""The operator of depthwise pooling: gradients, autocast, compilation, bad input."""

import pytest
import torch
from mmengine.utils import digit_version
from torch.utils.flop_counter import FlopCounterMode

from ifdd_mmaction.models.layers.depthwise import depthwise_pool, using
from tests.helpers.depthwise import CASES, DTYPES, HALF, draw, exact
from tests.helpers.numeric import assert_close

SMALL = ((1, 2, 3, 3), 2, 2, (3, 3, 3), (1, 2, 2))


def operands(case, dtype=torch.float32, weights=torch.float32):
    """Return tokens and kernels that want a gradient, and the stride."""
    *shape, stride = case
    x, weight = draw(*shape, dtype)
    return x.requires_grad_(), weight.to(weights).requires_grad_(), stride


@pytest.mark.parametrize('weights', [torch.float32, torch.bfloat16], ids=str)
@pytest.mark.parametrize('dtype', [*DTYPES, torch.float64], ids=str)
@pytest.mark.parametrize('case', CASES[:3], ids=str)
def test_tokens_and_kernels_of_any_two_dtypes(case, dtype, weights):
    x, weight, stride = operands(case, dtype, weights)
    expected = exact(x, weight, stride)
    found = depthwise_pool(x, weight, stride)
    assert found.dtype == dtype and found.is_contiguous()
    terms = x[..., 0].numel()
    assert_close(found, expected, terms)
    grad = torch.rand_like(found)
    wanted = torch.autograd.grad(expected, (x, weight), grad.double())
    gradients = torch.autograd.grad(found, (x, weight), grad)
    for a, b, operand in zip(gradients, wanted, (x, weight), strict=True):
        assert a.dtype == operand.dtype
        assert_close(a, b, terms)


@pytest.mark.parametrize('dtype', HALF, ids=str)
def test_under_autocast_the_gradient_of_the_kernels_is_summed_in_float32(dtype):
    x, weight, stride = operands(CASES[0])
    rounded = x.detach().to(dtype).requires_grad_()
    with torch.autocast('cpu', dtype):
        found = depthwise_pool(x, weight, stride)
        double = depthwise_pool(x.double(), weight, stride)
    assert found.dtype == dtype and double.dtype == torch.float64
    # What it computes in float32 stays float32.
    assert torch.equal(found, depthwise_pool(x.to(dtype), weight, stride))
    expected = exact(rounded, weight, stride)
    assert_close(found, expected, weight[0].numel())
    grad = torch.randn_like(found)
    grad_x, grad_weight = torch.autograd.grad(found, (x, weight), grad)
    wanted = torch.autograd.grad(expected, (rounded, weight), grad.double())
    assert grad_x.dtype == grad_weight.dtype == torch.float32
    terms = x[..., 0].numel()
    assert_close(grad_x, wanted[0], terms, dtype=dtype)
    # The kernels themselves were not rounded, nor was the sum.
    assert_close(grad_weight, wanted[1], terms)


def test_tokens_in_any_layout():
    x, weight, stride = operands(CASES[0], torch.float64)
    expected = depthwise_pool(x, weight, stride)
    grad = torch.rand_like(expected)
    wanted = torch.autograd.grad(expected, (x, weight), grad)
    apart = x.detach().movedim(-1, 1).contiguous().movedim(1, -1).requires_grad_()
    found = depthwise_pool(apart, weight, stride)
    assert_close(found, expected, 1)
    grad = grad.movedim(2, 0).contiguous().movedim(0, 2)
    for a, b in zip(
        torch.autograd.grad(found, (apart, weight), grad), wanted, strict=True
    ):
        assert_close(a, b, x[..., 0].numel())


def test_no_clips_give_no_tokens_and_gradients_of_zero():
    weight = torch.rand(2, 1, 3, 3, 3, requires_grad=True)
    x = torch.rand(0, 4, 6, 6, 4, requires_grad=True)
    found = depthwise_pool(x, weight, (1, 2, 2))
    assert found.shape == (0, 4, 3, 3, 4)
    found.sum().backward()
    assert x.grad.shape == x.shape and not weight.grad.any()


@pytest.mark.parametrize('frozen', [0, 1])
def test_a_frozen_operand_gets_no_gradient(frozen):
    *pair, stride = operands(SMALL)
    pair[frozen].requires_grad_(False)
    depthwise_pool(*pair, stride).sum().backward()
    assert [operand.grad is None for operand in pair] == [frozen == 0, frozen == 1]


def test_gradients_of_every_order():
    x, weight, stride = operands(SMALL, torch.float64, torch.float64)
    assert torch.autograd.gradgradcheck(
        lambda x, weight: depthwise_pool(x, weight, stride), (x, weight)
    )


@pytest.mark.parametrize('dtype', [*DTYPES, torch.float64], ids=str)
@pytest.mark.parametrize('case', [SMALL, CASES[1]], ids=str)
def test_pytorch_accepts_the_operators(case, dtype):
    x, weight, stride = operands(case, dtype)
    grad = depthwise_pool(x, weight, stride).detach().requires_grad_()
    operators = torch.ops.ifdd
    for operator, arguments in (
        (operators.depthwise_pool, (x, weight, stride)),
        (operators.depthwise_pool_grad_input, (grad, weight, x.shape[1:4], stride)),
        (operators.depthwise_pool_grad_weight, (x, grad, weight.shape, stride)),
    ):
        found = torch.library.opcheck(operator.default, arguments)
        assert set(found.values()) == {'SUCCESS'}


def targets(graph):
    """Return the names of the operators of a graph, in its order."""
    return [str(node.target) for node in graph.nodes if node.op == 'call_function']


@pytest.mark.parametrize('autocast', [False, True])
def test_compiled_it_is_one_operator_each_way(autocast):
    from torch._dynamo.backends.common import aot_autograd

    graphs = []

    def keep(module, inputs):
        graphs.append(module.graph)
        return module.forward

    x, weight, stride = operands(CASES[0])

    def pool(x, weight):
        with torch.autocast('cpu', torch.bfloat16, enabled=autocast):
            return depthwise_pool(x, weight, stride)

    compiled = torch.compile(
        pool, backend=aot_autograd(fw_compiler=keep, bw_compiler=keep), fullgraph=True
    )
    expected, found = pool(x, weight), compiled(x, weight)
    assert torch.equal(found, expected)
    grad = torch.rand_like(expected)
    wanted = torch.autograd.grad(expected, (x, weight), grad)
    for a, b in zip(torch.autograd.grad(found, (x, weight), grad), wanted, strict=True):
        assert torch.equal(a, b)
    forward, backward = (
        [name for name in targets(graph) if name.startswith('ifdd')] for graph in graphs
    )
    assert forward == ['ifdd.depthwise_pool.default']
    assert backward == [
        'ifdd.depthwise_pool_grad_input.default',
        'ifdd.depthwise_pool_grad_weight.default',
    ]
    assert not any('convolution' in name for graph in graphs for name in targets(graph))


class Pooling(torch.nn.Module):
    def forward(self, x, weight):
        return depthwise_pool(x, weight, (1, 2, 2))


def test_exported_it_is_one_operator_unless_a_file_must_do_without():
    x, weight, _ = operands(SMALL)
    batch = torch.export.Dim('batch')
    x, weight = x.detach().repeat(2, 1, 1, 1, 1), weight.detach()

    def export():
        shapes = ({0: batch}, None)
        return torch.export.export(
            Pooling(), (x, weight), dynamic_shapes=shapes, strict=False
        )

    program = export()
    assert targets(program.graph) == ['ifdd.depthwise_pool.default']
    five = x[:1].repeat(5, 1, 1, 1, 1)
    assert torch.equal(program.module()(five, weight), Pooling()(five, weight))
    with using('torch'):
        assert 'ifdd' not in str(export().graph)
    traced = torch.jit.trace(Pooling(), (x, weight))
    assert 'ifdd::' not in str(traced.graph)
    assert_close(traced(x, weight), Pooling()(x, weight), weight[0].numel())


@pytest.mark.skipif(
    digit_version(torch.__version__) < digit_version('2.5'),
    reason='torch 2.4 counts no operators but its own',
)
def test_its_operations_are_counted_like_those_of_a_convolution():
    x, weight, stride = operands(CASES[0])
    counts = {}
    for name in ('auto', 'torch'):
        with using(name), FlopCounterMode(display=False) as counter:
            y = depthwise_pool(x, weight, stride)
        counts[name] = counter.get_total_flops()
    assert counts['auto'] == counts['torch'] == 2 * x.numel() * weight[0].numel()
    with FlopCounterMode(display=False) as counter:
        depthwise_pool(x, weight, stride).backward(torch.ones_like(y))
    assert counter.get_total_flops() == 3 * counts['auto']


@pytest.mark.parametrize(
    'tokens, kernels, stride',
    [
        (torch.rand(1, 2, 3, 3, 4), torch.rand(4, 1, 2, 3, 3), (1, 1, 1)),
        (torch.rand(1, 2, 3, 3, 4), torch.rand(3, 1, 3, 3, 3), (1, 1, 1)),
        (torch.rand(1, 2, 3, 3, 4), torch.rand(4, 4, 3, 3, 3), (1, 1, 1)),
        (torch.rand(1, 18, 4), torch.rand(4, 1, 3, 3, 3), (1, 1, 1)),
        (torch.rand(1, 2, 3, 3, 4), torch.rand(4, 1, 3, 3, 3), (1, 1)),
        (torch.rand(1, 2, 3, 3, 4), torch.rand(4, 1, 3, 3, 3), (1, 0, 1)),
        (torch.zeros(1, 2, 3, 3, 4).long(), torch.rand(4, 1, 3, 3, 3), (1, 1, 1)),
        (torch.rand(1, 2, 3, 3, 4), torch.rand(4, 1, 3, 3, 3).to('meta'), (1, 1, 1)),
    ],
)
def test_what_it_does_not_take_is_refused(tokens, kernels, stride):
    for pool in (depthwise_pool, torch.ops.ifdd.depthwise_pool):
        with pytest.raises(ValueError, match=r'got tokens \(.*: give floating-point'):
            pool(tokens, kernels, stride)
