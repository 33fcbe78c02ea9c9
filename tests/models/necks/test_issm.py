import pytest
import torch

from ifdd_mmaction.models.necks import ISSM
from ifdd_mmaction.models.necks.issm import sample_frames
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

SPLIT = 'backbone.WaveLifts.adapt_split.'


@pytest.mark.parametrize('name, t, hw, c', [
    ('issm_t8_hw7_c32', 8, 7, 32),
    ('issm_t4_hw3_c8', 4, 3, 8),
])  # fmt: skip
def test_equals_the_authors_module_and_its_gradients(name, t, hw, c):
    golden = load_golden(name)
    module = ISSM(c, t, align_corners=False).double()
    # The gradient of an index is a sum over the numbers of a frame.
    depth = depth_of(module) + c * hw**2
    module.load_state_dict(ours(pick(golden, 'state/'), SPLIT, 'neck.split.'))
    x = golden['x'].double().view(-1, c, t, hw, hw).requires_grad_()
    x_s, x_d = module(x)
    indexes = module.split_indexes(x)
    assert_close(x_s.flatten(3), golden['x_a'], depth)
    assert_close(x_d.flatten(3), golden['x_d'], depth)
    assert_close(indexes.static, golden['index_approx'], depth)
    assert_close(indexes.dynamic, golden['index_detail'], depth)
    assert_close(indexes.correlation, golden['corr'], depth)

    upstream = [golden[name].double().view_as(x_s) for name in ('ga', 'gd')]
    torch.autograd.backward([x_s, x_d], upstream)
    assert_close(x.grad.flatten(3), golden['grad_x'], depth)
    expected = ours(pick(golden, 'grad_param/'), SPLIT, 'neck.split.')
    assert_gradients(module, expected, depth)


def test_equals_the_authors_module_at_real_size():
    golden = load_golden('issm_real_t8_hw7_c768')
    expected = load_json('meta_small')['issm_real_stats']
    module = ISSM(768, 8, align_corners=False).double()
    depth = depth_of(module) + 768 * 7 * 7
    module.load_state_dict(ours(filled_module(SPLIT), SPLIT, 'neck.split.'))
    x, upstream_s, upstream_d = (
        normal(f'issm.t8_hw7_c768.{name}', (2, 768, frames, 49))
        .double()
        .view(2, 768, -1, 7, 7)
        for name, frames in (('x', 8), ('ga', 4), ('gd', 4))
    )
    x.requires_grad_()
    x_s, x_d = module(x)
    torch.autograd.backward([x_s, x_d], [upstream_s, upstream_d])
    found = dict(x_a=x_s, x_d=x_d, grad_x=x.grad)
    for name, value in found.items():
        assert_statistics(value, expected[name], depth, name)
        part = value.flatten(3)[:, ::64, :, ::8]
        assert_close(part, golden[f'{name}_slice'], depth)
    theirs = ours(pick(expected, 'grad.'), SPLIT, 'neck.split.')
    assert theirs.keys() == {n for n, _ in module.named_parameters()}
    for name, parameter in module.named_parameters():
        assert_statistics(parameter.grad, theirs[name], depth, name)


def test_zero_offsets_read_each_frame_exactly():
    module = ISSM(4, 6)
    for project in (module.offset_static, module.offset_dynamic):
        torch.nn.init.zeros_(project.weight)
    x = torch.randn(2, 4, 6, 3, 5)
    x_s, x_d = module(x)
    assert torch.equal(x_s, x[:, :, 0::2]) and torch.equal(x_d, x[:, :, 1::2])


def test_positions_are_interpolated_and_clipped_with_their_gradient():
    x = torch.arange(4.0).view(1, 1, 4, 1, 1) ** 2  # 0 1 4 9
    position = torch.tensor([[-3.0, 0.25, 2.0, 2.5, 9.0]], requires_grad=True)
    frames = sample_frames(x, position).flatten()
    assert frames.tolist() == [0.0, 0.25, 4.0, 6.5, 9.0]
    frames.sum().backward()
    assert position.grad.tolist() == [[0.0, 1.0, 5.0, 5.0, 0.0]]


@pytest.mark.parametrize('t', [1, 2, 3, 7, 8])
@pytest.mark.parametrize('size', [(1, 1), (5, 3), (14, 14)])
def test_any_length_and_size_with_gradients_everywhere(t, size):
    module = ISSM(6, t)
    x = torch.randn(2, 6, t, *size, requires_grad=True)
    x_s, x_d = module(x)
    assert x_s.shape == x_d.shape == (2, 6, (t + 1) // 2, *size)
    (x_s.square().sum() + x_d.sum()).backward()
    assert all(p.grad is not None for p in module.parameters())
    assert x.grad.abs().sum() > 0


def test_an_odd_clip_is_padded_by_its_last_frame():
    module = ISSM(4, 3)
    x = torch.randn(2, 4, 3, 2, 2)
    padded = torch.cat([x, x[:, :, -1:]], dim=2)
    for a, b in zip(module(x), module(padded), strict=True):
        assert torch.equal(a, b)


def test_positions_stay_in_float32_under_autocast():
    module = ISSM(8, 16).eval()
    x = torch.randn(2, 8, 16, 4, 4)
    expected = module(x)
    with torch.autocast('cpu', torch.bfloat16):
        for a, b in zip(module(x), expected, strict=True):
            assert torch.equal(a, b)
    x_s, _ = module(x.bfloat16())
    assert x_s.dtype == torch.bfloat16


@pytest.mark.parametrize('shape', [(2, 5, 8, 3, 3), (2, 4, 6, 3, 3), (2, 4, 8, 3)])
def test_a_wrong_shape_is_named_with_the_argument_to_change(shape):
    with pytest.raises(ValueError, match=r'in_channels and num_frames'):
        ISSM(4, 8)(torch.zeros(shape))
