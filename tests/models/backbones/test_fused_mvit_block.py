import copy

import pytest
import torch
import torch.nn.functional as F
from mmaction.models.backbones.mvit import MultiScaleAttention
from mmaction.registry import MODELS
from torch.utils.checkpoint import checkpoint

from ifdd_mmaction.models.backbones.token_pooling import DepthwiseConv

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
    """Return stock attention and ours, with weights that make every part count."""
    stock = MODELS.build(MODEL | options | dict(fused=False))
    for parameter in stock.parameters():
        torch.nn.init.normal_(parameter, std=0.1 if parameter.dim() > 2 else 0.3)
    ours = MODELS.build(MODEL | options)
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
    weights = [torch.rand(o.shape, generator=generator, dtype=x.dtype) for o in outputs]
    sum((o * w).sum() for o, w in zip(outputs, weights, strict=True)).backward()
    grads = {name: p.grad for name, p in model.named_parameters()}
    return outputs, dict(grads, input=x.grad)


def assert_same(actual, expected, tolerance):
    outputs, grads = actual
    expected_outputs, expected_grads = expected
    for a, b in zip(outputs, expected_outputs, strict=True):
        torch.testing.assert_close(a, b, rtol=0, atol=tolerance * b.abs().max().item())
    assert grads.keys() == expected_grads.keys()
    largest = max(
        g.abs().max().item() for g in expected_grads.values() if g is not None
    )
    for name, b in expected_grads.items():
        if b is None:
            assert grads[name] is None, name
            continue
        # What adds the same to all scores of a query, as this bias does, has no
        # gradient but rounding.
        scale = expected_grads[name.replace('norm_k.bias', 'norm_k.weight')].abs().max()
        scale = max(scale.item(), 1e-4 * largest)
        error = (grads[name] - b).abs().max().item()
        assert error <= tolerance * scale, (name, error / scale)


@pytest.mark.parametrize(
    'dtype,tolerance', [(torch.double, 1e-10), (torch.float, 1e-5)]
)
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
def test_outputs_and_all_gradients_equal_stock_mvit(options, size, dtype, tolerance):
    stock, ours = (model.to(dtype) for model in build_pair(**options))
    assert type(stock.blocks[0].attn) is MultiScaleAttention
    assert type(ours.blocks[0].attn) is not MultiScaleAttention
    x = torch.rand(2, 3, *size, dtype=dtype)
    assert_same(run(ours, x), run(stock, x), tolerance)


def test_stochastic_depth_draws_as_in_stock_mvit():
    stock, ours = build_pair(drop_path_rate=0.5)
    x = torch.rand(4, 3, *SIZE)
    torch.manual_seed(1)
    expected = run(stock.train(), x)
    torch.manual_seed(1)
    assert_same(run(ours.train(), x), expected, 1e-5)


def test_attention_never_makes_its_map():
    _, ours = build_pair()
    calls = []

    class Watch(torch.overrides.TorchFunctionMode):
        def __torch_function__(self, function, types, args=(), kwargs=None):
            calls.append(function)
            return function(*args, **(kwargs or {}))

    with Watch():
        ours(torch.rand(1, 3, *SIZE))
    assert torch.softmax not in calls and torch.Tensor.softmax not in calls
    # One call for the patches and one for the class token, in each of four blocks.
    assert calls.count(F.scaled_dot_product_attention) == 8


def test_constants_first_made_in_inference_mode_serve_training():
    _, ours = build_pair()
    x = torch.rand(1, 3, 4, 44, 28)  # a shape of this test alone
    with torch.inference_mode():
        expected = flatten(ours(x))
    outputs, grads = run(ours, x)
    for a, b in zip(outputs, expected, strict=True):
        torch.testing.assert_close(a, b.clone())
    assert all(g is not None for g in grads.values())


def test_copies_and_checkpoints_hold_nothing_new():
    stock, ours = build_pair()
    x = torch.rand(1, 3, *SIZE)
    expected = flatten(ours(x))
    assert list(ours.state_dict()) == list(stock.state_dict())
    assert not list(ours.buffers())
    for a, b in zip(flatten(copy.deepcopy(ours)(x)), expected, strict=True):
        torch.testing.assert_close(a, b, rtol=0, atol=0)


def test_activation_checkpointing_changes_nothing():
    _, ours = build_pair(drop_path_rate=0.5)
    x = torch.rand(2, 3, *SIZE)
    torch.manual_seed(1)
    expected = run(ours.train(), x)
    for block in ours.blocks:
        forward = block.forward
        block.forward = lambda x, size, f=forward: checkpoint(
            f, x, size, use_reentrant=False
        )
    torch.manual_seed(1)
    assert_same(run(ours, x), expected, 1e-6)


def test_autocast_is_no_less_exact_than_in_stock_mvit():
    stock, ours = build_pair()
    x = torch.rand(2, 3, *SIZE)
    exact = flatten(stock.eval()(x))
    errors = []
    for model in (stock, ours.eval()):
        with torch.no_grad(), torch.autocast('cpu', torch.bfloat16):
            outputs = flatten(model(x))
        errors.append(
            [
                (a - b).square().mean().sqrt()
                for a, b in zip(outputs, exact, strict=True)
            ]
        )
    for of_stock, of_ours in zip(*errors, strict=True):
        assert of_ours < 1.5 * of_stock


@pytest.mark.slow
@pytest.mark.parametrize('with_cls_token', [True, False])
def test_torch_compile_traces_it_whole(with_cls_token):
    _, ours = build_pair(with_cls_token=with_cls_token)
    compiled = torch.compile(copy.deepcopy(ours), fullgraph=True, backend='aot_eager')
    x = torch.rand(1, 3, *SIZE)
    expected_outputs, expected_grads = run(ours, x)
    outputs, grads = run(compiled, x)
    grads = {name.removeprefix('_orig_mod.'): grad for name, grad in grads.items()}
    assert_same((outputs, grads), (expected_outputs, expected_grads), 1e-5)


@pytest.mark.parametrize('kernel', [(3, 3, 3), (1, 3, 5)])
@pytest.mark.parametrize('stride', [(1, 1, 1), (1, 2, 2), (2, 4, 3), (1, 8, 8)])
def test_depthwise_convolution_has_the_gradients_of_pytorch(kernel, stride):
    x = torch.rand(2, 4, 3, 9, 8, dtype=torch.double, requires_grad=True)
    weight = torch.rand(4, 1, *kernel, dtype=torch.double, requires_grad=True)
    padding = [k // 2 for k in kernel]
    expected = F.conv3d(x, weight, None, stride, padding, groups=4)
    actual = DepthwiseConv.apply(x, weight, stride)
    torch.testing.assert_close(actual, expected)
    grad = torch.rand_like(expected)
    for a, b in zip(
        torch.autograd.grad(actual, (x, weight), grad),
        torch.autograd.grad(expected, (x, weight), grad),
        strict=True,
    ):
        torch.testing.assert_close(a, b)
