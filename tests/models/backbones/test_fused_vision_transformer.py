import pytest
import torch
import torch.nn.functional as F
from mmaction.registry import MODELS

from tests.helpers.numeric import assert_gradients_close, depth_of

MODEL = dict(
    type='FusedVisionTransformer',
    img_size=32,
    embed_dims=16,
    depth=2,
    num_heads=2,
    num_frames=4,
    return_feat_map=True,
    use_mean_pooling=False,
)


def build_pair(**options):
    """Return stock attention and ours, with weights that make every part count."""
    stock = MODELS.build(dict(MODEL, type='VisionTransformer', **options)).double()
    for parameter in stock.parameters():
        torch.nn.init.normal_(parameter, std=0.3)
    ours = MODELS.build(MODEL | options).double()
    ours.load_state_dict(stock.state_dict())
    return stock, ours


def run(model, x):
    """Return the output, and the gradients of a fixed function of it by name."""
    x = x.clone().requires_grad_()
    output = model(x)
    generator = torch.Generator().manual_seed(1)
    weights = torch.rand(output.shape, generator=generator)
    (output * weights).sum().backward()
    grads = {name: p.grad for name, p in model.named_parameters()}
    return dict(grads, output=output, input=x.grad)


@pytest.mark.parametrize(
    'options, size',
    [
        (dict(), 32),
        (dict(qkv_bias=False, qk_scale=0.3), 48),
        (dict(init_values=0.1, use_learnable_pos_emb=True), 32),
        (dict(use_mean_pooling=True, return_feat_map=False), 32),
    ],
    ids=str,
)
def test_output_and_all_gradients_equal_the_stock_model(options, size):
    stock, ours = build_pair(**options)
    x = torch.rand(2, 3, 4, size, size, dtype=torch.double)
    assert_gradients_close(run(ours, x), run(stock, x), depth_of(ours))


def test_float32_kernels_are_as_exact_as_float32_is():
    stock, ours = build_pair()
    x = torch.rand(2, 3, 4, 32, 32)
    expected = run(stock, x.double())
    assert_gradients_close(run(ours.float(), x), expected, depth_of(ours))


def test_dropout_of_attention_is_for_training_alone():
    _, ours = build_pair(attn_drop_rate=0.5)
    x = torch.rand(1, 3, 4, 32, 32, dtype=torch.double)
    expected = ours.eval()(x)
    assert torch.equal(ours(x), expected)
    assert (ours.train()(x) - expected).abs().max() > 1e-3


@pytest.mark.parametrize('fused', [True, False])
def test_attention_makes_no_map_where_it_is_fused(fused):
    model = MODELS.build(dict(MODEL, fused=fused))
    calls = []

    class Watch(torch.overrides.TorchFunctionMode):
        def __torch_function__(self, function, types, args=(), kwargs=None):
            calls.append(function)
            return function(*args, **(kwargs or {}))

    with Watch():
        model(torch.rand(1, 3, 4, 32, 32))
    assert (torch.Tensor.softmax in calls) == (not fused)
    assert calls.count(F.scaled_dot_product_attention) == (2 if fused else 0)
