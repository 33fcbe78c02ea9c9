import copy

import pytest
import torch
import torch.nn.functional as F
from mmaction.models.backbones.mvit import MultiScaleAttention
from mmaction.registry import MODELS
from torch.utils.checkpoint import checkpoint

from tests.helpers.numeric import (
    assert_close,
    assert_gradients_close,
    check,
    depth_of,
)

ARCH = dict(embed_dims=8, num_layers=4, num_heads=1, downscale_indices=[1, 2])
MODEL = dict(
    type='PyramidMViT',
    arch=ARCH,
    spatial_size=32,
    temporal_size=4,
    out_scales=[0, 1, 2],
)
SIZE = (4, 32, 32)


def build_pair(**options):
    """Return stock attention and ours, with weights that make every part count.

    In float64, of values that float32 has.
    """
    stock = MODELS.build(MODEL | options | dict(fused=False))
    for parameter in stock.parameters():
        torch.nn.init.normal_(parameter, std=0.1 if parameter.dim() > 2 else 0.3)
    stock.double()
    ours = MODELS.build(MODEL | options).double()
    ours.load_state_dict(stock.state_dict())
    return stock, ours


def flatten(outputs):
    """List the tensors of a backbone's output, class tokens included."""
    levels = [out if isinstance(out, list) else [out] for out in outputs]
    return [tensor for level in levels for tensor in level]


def run(model, x):
    """Return outputs, and the gradients of a fixed function of them by name."""
    x = x.clone().requires_grad_()
    model.zero_grad()
    outputs = flatten(model(x))
    generator = torch.Generator().manual_seed(1)
    weights = [torch.rand(o.shape, generator=generator) for o in outputs]
    sum((o * w).sum() for o, w in zip(outputs, weights, strict=True)).backward()
    grads = {name: p.grad for name, p in model.named_parameters()}
    return outputs, dict(grads, input=x.grad)


def assert_same(model, actual, expected):
    """Outputs and gradients of the model are equal but for rounding."""
    (outputs, found), (expected_outputs, gradients) = actual, expected
    depth = depth_of(model)
    for a, b in zip(outputs, expected_outputs, strict=True):
        assert_close(a, b, depth)
    unused = {name for name, gradient in gradients.items() if gradient is None}
    assert unused == {name for name, gradient in found.items() if gradient is None}
    for gradients_of in (found, gradients):
        for name in unused:
            del gradients_of[name]
    assert_gradients_close(found, gradients, depth)


@pytest.mark.parametrize(
    'options,size',
    [
        (dict(), SIZE),
        (dict(with_cls_token=False), SIZE),
        # Tables are interpolated in all three directions.
        (dict(output_cls_token=True), (6, 40, 24)),
        (dict(with_cls_token=False), (10, 36, 52)),
        (dict(), (2, 16, 16)),
        (dict(residual_pooling=False), SIZE),
        (dict(rel_pos_embed=False), SIZE),
        (dict(qkv_bias=False), SIZE),
        (dict(adaptive_kv_stride=(1, 4, 4)), SIZE),
        (dict(adaptive_kv_stride=(2, 2, 2)), SIZE),
        (dict(dim_mul_in_attention=False), SIZE),
        (dict(pool_kernel=(1, 3, 3), use_abs_pos_embed=True), SIZE),
        (dict(temporal_pool=2), (8, 32, 32)),
    ],
    ids=str,
)
def test_outputs_and_all_gradients_equal_stock_mvit(options, size):
    stock, ours = build_pair(**options)
    assert type(stock.blocks[0].attn) is MultiScaleAttention
    assert type(ours.blocks[0].attn) is not MultiScaleAttention
    x = torch.rand(2, 3, *size, dtype=torch.double)
    assert_same(ours, run(ours, x), run(stock, x))


@pytest.mark.parametrize('with_cls_token', [True, False])
def test_float32_kernels_are_as_exact_as_float32_is(with_cls_token):
    stock, ours = build_pair(with_cls_token=with_cls_token)
    x = torch.rand(2, 3, *SIZE)
    assert_same(ours, run(ours.float(), x), run(stock, x.double()))


def test_stochastic_depth_draws_as_in_stock_mvit():
    stock, ours = build_pair(drop_path_rate=0.5)
    x = torch.rand(4, 3, *SIZE, dtype=torch.double)
    torch.manual_seed(1)
    expected = run(stock.train(), x)
    torch.manual_seed(1)
    assert_same(ours, run(ours.train(), x), expected)


def test_attention_never_makes_its_map():
    _, ours = build_pair()
    calls = []

    class Watch(torch.overrides.TorchFunctionMode):
        def __torch_function__(self, function, types, args=(), kwargs=None):
            calls.append(function)
            return function(*args, **(kwargs or {}))

    with Watch():
        ours(torch.rand(1, 3, *SIZE, dtype=torch.double))
    assert torch.softmax not in calls and torch.Tensor.softmax not in calls
    # One call for the patches and one for the class token, in each of four blocks.
    assert calls.count(F.scaled_dot_product_attention) == 8


def test_constants_first_made_in_inference_mode_serve_training():
    _, ours = build_pair()
    # a shape of this test alone
    x = torch.rand(1, 3, 4, 44, 28, dtype=torch.double)
    with torch.inference_mode():
        expected = flatten(ours(x))
    outputs, grads = run(ours, x)
    for a, b in zip(outputs, expected, strict=True):
        assert_close(a, b.clone(), depth_of(ours))
    assert all(g is not None for g in grads.values())


def test_copies_and_checkpoints_hold_nothing_new():
    stock, ours = build_pair()
    x = torch.rand(1, 3, *SIZE, dtype=torch.double)
    expected = flatten(ours(x))
    assert list(ours.state_dict()) == list(stock.state_dict())
    assert not list(ours.buffers())
    for a, b in zip(flatten(copy.deepcopy(ours)(x)), expected, strict=True):
        assert torch.equal(a, b)


def test_activation_checkpointing_changes_nothing():
    _, ours = build_pair(drop_path_rate=0.5)
    x = torch.rand(2, 3, *SIZE, dtype=torch.double)
    torch.manual_seed(1)
    expected = run(ours.train(), x)
    for block in ours.blocks:
        forward = block.forward
        block.forward = lambda x, size, f=forward: checkpoint(
            f, x, size, use_reentrant=False
        )
    torch.manual_seed(1)
    assert_same(ours, run(ours, x), expected)


def test_autocast_is_no_less_exact_than_in_stock_mvit():
    stock, ours = (model.eval() for model in build_pair())
    x = torch.rand(2, 3, *SIZE)
    with torch.no_grad():
        exact = flatten(stock(x.double()))
        with torch.autocast('cpu', torch.bfloat16):
            outputs = [flatten(model.float()(x)) for model in (ours, stock)]
    for found, of_stock, expected in zip(*outputs, exact, strict=True):
        # Products are rounded to bfloat16, one a weight, and summed in float32.
        weights = sum(p.dim() > 1 for p in ours.parameters())
        assert_close(found, expected, weights, dtype=torch.bfloat16)
        errors = [(x - expected).norm().item() for x in (found, of_stock)]
        check(errors[0] - errors[1], 0.5 * errors[1], 'error beyond that of stock MViT')


@pytest.mark.slow
@pytest.mark.parametrize('with_cls_token', [True, False])
def test_torch_compile_traces_it_whole(with_cls_token):
    _, ours = build_pair(with_cls_token=with_cls_token)
    compiled = torch.compile(copy.deepcopy(ours), fullgraph=True, backend='aot_eager')
    x = torch.rand(1, 3, *SIZE, dtype=torch.double)
    expected_outputs, expected_grads = run(ours, x)
    outputs, grads = run(compiled, x)
    grads = {name.removeprefix('_orig_mod.'): grad for name, grad in grads.items()}
    assert_same(ours, (outputs, grads), (expected_outputs, expected_grads))
