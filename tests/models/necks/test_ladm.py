import itertools

import pytest
import torch

from ifdd_mmaction.models.necks import ISSM, LADM
from ifdd_mmaction.models.necks.ladm import context_gap
from tests.helpers.golden import (
    assert_gradients,
    assert_statistics,
    filled_module,
    load_golden,
    load_json,
    normal,
    ours,
    pick,
)
from tests.helpers.numeric import assert_close, depth_of

THEIRS = 'backbone.WaveLifts.'


def tokens_to_map(tokens, t, hw):
    return tokens.transpose(1, 2).reshape(len(tokens), -1, t, hw, hw)


@pytest.mark.parametrize('name, t, hw, c, heads, options, issm', [
    ('ladm_split1_pre1', 8, 3, 32, 8, {}, True),
    ('ladm_split0_pre1', 8, 3, 32, 8, {}, False),
    ('ladm_split0_pre0', 8, 3, 32, 8, dict(update_first=False), False),
    ('ladm_nonorm', 4, 2, 16, 4, dict(norm=False), True),
    ('ladm_norelax', 4, 2, 16, 4, {}, True),
])  # fmt: skip
def test_equals_the_authors_module_and_its_gradients(
    name, t, hw, c, heads, options, issm
):
    golden = load_golden(name)
    state = pick(golden, 'state/')
    module = LADM(c, (t, hw, hw), num_heads=heads, **options).eval().double()
    module.load_state_dict(ours(state, THEIRS, 'neck.lifting.'))
    split = ISSM(c, t, align_corners=False).double()
    # The gradient of an index is a sum over the numbers of a frame.
    depth = depth_of(module, split) + c * hw**2
    x = tokens_to_map(golden['x'].double(), t, hw).requires_grad_()
    if issm:
        split.load_state_dict(ours(state, THEIRS, 'neck.split.'))
        x_s, x_d = split(x)
    else:
        x_s, x_d = x[:, :, 0::2], x[:, :, 1::2]
    vector, y_s = module(x_s, x_d)
    gap = context_gap(x, y_s, relaxed=name != 'ladm_norelax')

    assert_close(vector, golden['x_d'], depth)
    assert_close(gap, golden['pool_a'], depth)
    if 'xa_tokens' in golden:
        context = tokens_to_map(golden['xa_tokens'], t // 2, hw)
        assert_close(y_s, context, depth)

    upstream = [golden['gd'].double(), golden['gp'].double()]
    torch.autograd.backward([vector, gap], upstream)
    expected = tokens_to_map(golden['grad_x'], t, hw)
    assert_close(x.grad, expected, depth)
    if name == 'ladm_split1_pre1':
        gradients = pick(golden, 'grad_param/')
        assert_gradients(module, ours(gradients, THEIRS, 'neck.lifting.'), depth)
        assert_gradients(split, ours(gradients, THEIRS, 'neck.split.'), depth)


def test_equals_the_authors_module_at_real_size():
    expected = load_json('meta_small')['ladm_real_stats']
    module = torch.nn.ModuleDict(
        dict(
            split=ISSM(768, 8, align_corners=False),
            lifting=LADM(768, (8, 7, 7)).eval(),
        )
    ).double()
    depth = depth_of(module) + 768 * 7 * 7
    module.load_state_dict(ours(filled_module(THEIRS), THEIRS, 'neck.'))
    x = normal('ladm.real.x', (2, 392, 768)).double()
    x = tokens_to_map(x, 8, 7).requires_grad_()
    vector, y_s = module['lifting'](*module['split'](x))
    gap = context_gap(x, y_s)
    upstream = [normal('ladm.real.gd', (2, 768)), normal('ladm.real.gp', (2, 7, 7))]
    torch.autograd.backward([vector, gap], [grad.double() for grad in upstream])
    found = dict(
        x_d=vector,
        pool_a=gap,
        xa=y_s.flatten(2).transpose(1, 2),
        grad_x=x.grad.flatten(2).transpose(1, 2),
    )
    for name, value in found.items():
        assert_statistics(value, expected[name], depth, name)
    theirs = ours(pick(expected, 'grad.'), THEIRS, 'neck.')
    assert theirs.keys() == {n for n, _ in module.named_parameters()}
    for name, parameter in module.named_parameters():
        assert_statistics(parameter.grad, theirs[name], depth, name)


def attend(query, key, value, heads):
    """Softmax attention of tokens ``(N, L, C)``, written out."""
    q, k, v = (x.unflatten(2, (heads, -1)) for x in (query, key, value))
    logits = torch.einsum('nqhd,nkhd->nhqk', q, k) / q.shape[3] ** 0.5
    return torch.einsum('nhqk,nkhd->nqhd', logits.softmax(dim=3), v).flatten(2)


def cross(module, query, source, residual):
    k, v = module.kv(source).chunk(2, dim=2)
    out = attend(module.q(query), k, v, module.num_heads)
    return module.proj(out + v if residual else out)


def expected_of(module, x_s, x_d, update_first, norm, residual, attention, compress):
    """The formulas of LADM, step by step."""
    s, d = (x.flatten(2).transpose(1, 2) for x in (x_s, x_d))
    if norm:
        s, d = module.norm_static(s), module.norm_dynamic(d)
    if update_first:
        s = s + cross(module.updater, s, d, residual)
    d = d - cross(module.predictor, d, s, residual)
    if not update_first:
        s = s + cross(module.updater, s, d, residual)
    y_s = s.transpose(1, 2).reshape(x_s.shape)
    if attention:
        q, k, v = module.attn.qkv(module.norm1(d)).chunk(3, dim=2)
        d = d + module.attn.proj(attend(q, k, v, module.attn.num_heads))
        d = module.mlp(module.norm2(d))
    if compress:
        return torch.einsum('nlc,l->nc', d, module.token_weight.weight[0]), y_s
    return d.mean(dim=1), y_s


@pytest.mark.parametrize('switches', itertools.product([True, False], repeat=5))
@pytest.mark.parametrize('size', [(1, 2, 3), (7, 1, 1), (8, 3, 2)])
def test_every_combination_of_switches_is_right_and_trains_every_parameter(
    switches, size
):
    names = ['update_first', 'norm', 'value_residual', 'output_attention', 'compress']
    options = dict(zip(names, switches, strict=True))
    t, h, w = size
    module = LADM(16, size, num_heads=4, drop_path=0.0, **options).double()
    groups = torch.randn(2, 2, 16, (t + 1) // 2, h, w, dtype=torch.double)
    vector, y_s = module(*groups)
    expected = expected_of(module, *groups, *switches)
    for found, value in zip((vector, y_s), expected, strict=True):
        assert_close(found, value, depth_of(module))

    def untrained(loss):
        module.zero_grad()
        loss.backward(retain_graph=True)
        return {n.split('.')[0] for n, p in module.named_parameters() if p.grad is None}

    assert untrained(vector.square().sum() + y_s.sum()) == set()
    # Predicting first, the updater serves the constraint only.
    constrained = set() if options['update_first'] else {'updater'}
    assert untrained(vector.square().sum()) == constrained


def test_without_compression_any_size_may_follow():
    module = LADM(8, (8, 2, 2), num_heads=2, compress=False)
    vector, _ = module(torch.randn(1, 8, 3, 5, 4), torch.randn(1, 8, 3, 5, 4))
    assert vector.shape == (1, 8)


@pytest.mark.parametrize(
    'shapes',
    [
        [(1, 8, 4, 2, 2), (1, 8, 3, 2, 2)],
        [(1, 4, 4, 2, 2)] * 2,
        [(1, 8, 4, 3, 2)] * 2,
    ],
)
def test_a_wrong_shape_is_named_with_the_argument_to_change(shapes):
    with pytest.raises(ValueError, match=r'input_size=\(T, H, W\)'):
        LADM(8, (8, 2, 2), num_heads=2)(*map(torch.zeros, shapes))


def test_heads_must_divide_the_channels():
    with pytest.raises(ValueError, match='num_heads=8'):
        LADM(12, (8, 2, 2), num_heads=8)
