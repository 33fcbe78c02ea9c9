import pytest
import torch
import torch.nn.functional as F
from torch import nn
from torch.autograd.graph import saved_tensors_hooks

from ifdd_mmaction.models.layers import autocast_layer_norm, fused_mvit_block
from ifdd_mmaction.models.layers.autocast_layer_norm import (
    AutocastLayerNorm,
    norm_in_dtype,
)
from ifdd_mmaction.models.layers.recompute import linear, linears
from ifdd_mmaction.models.layers.relative_position import _append, append_codes
from ifdd_mmaction.models.layers.token_pooling import max_pool
from tests.helpers.numeric import assert_close
from tests.models.layers.test_fused_mvit_block import (
    SIZE,
    assert_same,
    build_pair,
    run,
)


def bytes_stored(function):
    """Return the bytes that are stored for the backward pass, each storage once."""
    storages = {}

    def pack(tensor):
        storage = tensor.untyped_storage()
        if not isinstance(
            tensor if tensor._base is None else tensor._base, nn.Parameter
        ):
            storages[storage.data_ptr()] = storage.nbytes()
        return tensor

    with saved_tensors_hooks(pack, lambda tensor: tensor):
        function()
    return sum(storages.values())


def gradients(loss, *tensors):
    return torch.autograd.grad(loss, tensors)


@pytest.mark.parametrize('dtype', [torch.float32, torch.float64, torch.bfloat16])
@pytest.mark.parametrize('bias', [True, False])
def test_outputs_and_gradients_are_equal_to_the_bit(dtype, bias):
    torch.manual_seed(0)
    wide = torch.float64 if dtype == torch.float64 else torch.float32
    norm, x = nn.LayerNorm(24).to(wide), torch.randn(2, 50, 24, dtype=wide)
    layers = [nn.Linear(24, n, bias=bias).to(wide) for n in (24, 24, 40)]
    parameters = [p for module in (norm, *layers) for p in module.parameters()]

    def step(apply):
        tokens = x.clone().requires_grad_()
        with torch.autocast('cpu', torch.bfloat16, enabled=dtype == torch.bfloat16):
            outputs = apply(norm(tokens), tokens)
        loss = sum((i + 1) * y.float().square().sum() for i, y in enumerate(outputs))
        return [*outputs, *gradients(loss, tokens, *parameters)]

    pairs = [(layer.weight, layer.bias) for layer in layers]
    found = step(lambda y, tokens: linears(pairs, y, norm, tokens))
    expected = step(lambda y, tokens: [layer(y) for layer in layers])
    for a, b in zip(found, expected, strict=True):
        assert a.dtype == b.dtype and torch.equal(a, b)


def test_its_gradient_can_be_differentiated():
    torch.manual_seed(0)
    norm, layer = nn.LayerNorm(4).double(), nn.Linear(4, 3).double()
    x = torch.randn(2, 5, 4, dtype=torch.double, requires_grad=True)
    weight = layer.weight.detach().requires_grad_()

    def function(x, weight):
        return linears([(weight, layer.bias)], norm(x), norm, x)[0]

    assert torch.autograd.gradcheck(function, (x, weight))
    assert torch.autograd.gradgradcheck(function, (x, weight))


def test_the_input_of_a_linear_layer_is_not_stored():
    x = torch.rand(2, 50, 24, requires_grad=True)
    norm, layer = nn.LayerNorm(24), nn.Linear(24, 24)
    stored = bytes_stored(lambda: linear(layer, norm(x), norm, x))
    expected = bytes_stored(lambda: layer(norm(x)))
    assert expected - stored == x.untyped_storage().nbytes()


def test_other_layers_and_hooks_are_called():
    class Adapted(nn.Linear):
        def forward(self, x):
            return super().forward(x) + 1

    x, norm = torch.rand(2, 5, 4, requires_grad=True), nn.LayerNorm(4)
    layer = Adapted(4, 3)
    assert torch.equal(linear(layer, norm(x), norm, x), layer(norm(x)))
    layer = nn.Linear(4, 3)
    calls = []
    layer.register_forward_hook(lambda *args: calls.append(args))
    linear(layer, norm(x), norm, x)
    assert len(calls) == 1


def test_what_is_not_known_to_be_cheap_runs_once():
    x, norm = torch.rand(6, 4, requires_grad=True), nn.BatchNorm1d(4)
    linear(nn.Linear(4, 3), norm(x), norm, x).sum().backward()
    assert norm.num_batches_tracked == 1


def test_appending_to_queries_stores_no_second_copy_of_them():
    torch.manual_seed(0)
    q = torch.randn(2, 2, 3, 2, 2, 4, dtype=torch.double, requires_grad=True)
    sizes = zip((2, 3, 2), (2, 1, 3), strict=True)
    rows = [
        torch.randn(n, 4, k, dtype=torch.double, requires_grad=True) for n, k in sizes
    ]
    tables = [
        torch.randn(2 * n - 1, 4, dtype=torch.double, requires_grad=True)
        for n in (2, 3, 3)
    ]

    def append(q, *tables):
        return append_codes(q, (2, 1, 3), tables, 0.5, 8)

    query, same = append(q, *tables)
    assert query.shape == (2, 12, 2, 12) and torch.equal(same, q.flatten(1, 3))
    assert torch.autograd.gradcheck(append, (q, *tables))
    assert torch.autograd.gradgradcheck(append, (q, *tables))
    plain = bytes_stored(lambda: _append(q, *rows, 8))
    stored = bytes_stored(lambda: append(q, *tables))
    assert stored < plain + query.untyped_storage().nbytes()


@pytest.mark.parametrize('dtype', [torch.float32, torch.bfloat16])
@pytest.mark.parametrize('last', [True, False])
def test_max_pooling_is_equal_to_the_bit_and_stores_32_bits_a_maximum(dtype, last):
    torch.manual_seed(0)
    x = torch.randn(2, 3, 4, 9, 10, requires_grad=True)
    pool = nn.MaxPool3d((1, 3, 3), (1, 2, 2), (0, 1, 1))
    found = {}

    def step(call):
        y = x.movedim(1, -1).contiguous().movedim(-1, 1) if last else x
        out = call(y.to(dtype))
        found[call] = [out, *gradients(out.float().square().sum(), x)]

    def own(y):
        with torch.autocast('cpu', torch.bfloat16, enabled=dtype == torch.bfloat16):
            return max_pool(y, pool)

    stored = [bytes_stored(lambda call=call: step(call)) for call in (own, pool)]
    for a, b in zip(found[own], found[pool], strict=True):
        assert torch.equal(a, b)
    assert stored[0] < stored[1]
    small = torch.randn(1, 2, 1, 4, 4, dtype=torch.double, requires_grad=True)
    assert torch.autograd.gradgradcheck(own, (small,))


def test_a_small_model_stores_less_than_stock():
    stock, ours = (model.float() for model in build_pair())
    x = torch.rand(2, 3, *SIZE)
    stored = [bytes_stored(lambda m=model: m(x)) for model in (ours, stock)]
    assert stored[0] < 0.78 * stored[1], stored


@pytest.mark.parametrize('with_cls_token', [True, False])
def test_wider_heads_change_nothing(monkeypatch, with_cls_token):
    stock, ours = build_pair(with_cls_token=with_cls_token)
    x = torch.rand(2, 3, *SIZE, dtype=torch.double)
    monkeypatch.setattr(
        fused_mvit_block, 'appended_width', lambda channels, *args: 64 - channels
    )
    assert_same(ours, run(ours, x), run(stock, x))


@pytest.mark.parametrize(
    'channels, codes, device, dtype, width',
    [
        (96, 22, 'cuda', torch.bfloat16, 32),
        (96, 22, 'cuda', torch.float16, 32),
        (96, 22, 'cuda', torch.float32, 24),
        (96, 22, 'cpu', torch.bfloat16, 24),
        (96, 36, 'cuda', torch.bfloat16, 40),
        (32, 22, 'cuda', torch.bfloat16, 24),
    ],
)
def test_heads_are_of_128_where_that_is_faster(channels, codes, device, dtype, width):
    found = fused_mvit_block.appended_width(channels, codes, device, dtype)
    assert found == width


@pytest.mark.parametrize('dtype', [torch.bfloat16, torch.float16])
def test_norms_stay_in_16_bits_under_autocast_of_a_gpu(monkeypatch, dtype):
    torch.manual_seed(0)
    norm = AutocastLayerNorm(96)
    nn.init.normal_(norm.weight, 1, 0.1)
    nn.init.normal_(norm.bias, 0, 0.1)
    x = torch.randn(4, 96).to(dtype).requires_grad_()
    exact = F.layer_norm(x.double(), (96,), norm.weight.double(), norm.bias.double())
    # As for any device for which autocast has a rule.
    monkeypatch.setattr(autocast_layer_norm, 'LEFT_ALONE', ())
    with torch.autocast('cpu', dtype):
        found = norm(x)
    assert found.dtype == dtype
    # Rounded: the weight, the bias and the result.
    assert_close(found, exact, 3)
    found.float().sum().backward()
    assert norm.weight.grad.dtype == norm.bias.grad.dtype == torch.float32


def test_norms_are_those_of_pytorch_without_autocast():
    norm, stock, x = AutocastLayerNorm(8), nn.LayerNorm(8), torch.randn(4, 8)
    assert torch.equal(norm(x), stock(x))
    assert torch.equal(norm_in_dtype(norm, x), stock(x))
    assert list(norm.state_dict()) == list(stock.state_dict())
