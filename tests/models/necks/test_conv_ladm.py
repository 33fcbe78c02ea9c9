import pytest
import torch

from ifdd_mmaction.models.necks import (
    ISSM,
    ConvLADM,
    IntervalSplit,
    TopKSplit,
    WeightingSplit,
)
from ifdd_mmaction.models.necks.ladm import context_gap
from tests.helpers.golden import load_golden, ours, pick
from tests.helpers.numeric import assert_close, depth_of

THEIRS = 'backbone.WaveLifts.'


@pytest.mark.parametrize('mode', ['eval', 'train'])
def test_equals_the_authors_module_and_its_running_statistics(mode):
    golden = load_golden('ladm_cnn')
    module = ConvLADM(8, (8, 3, 3)).train(mode == 'train').double()
    module.load_state_dict(ours(pick(golden, 'state/'), THEIRS, 'neck.lifting.'))
    depth = depth_of(module)
    x = golden['x'].double().transpose(1, 2).reshape(2, 8, 8, 3, 3)
    vector, y_s = module(x[:, :, 0::2], x[:, :, 1::2])
    assert_close(vector, golden[f'x_d_{mode}'], depth)
    gap = context_gap(x, y_s)
    assert_close(gap, golden[f'pool_a_{mode}'], depth)

    prefix = 'state_after_train/' if mode == 'train' else 'state/'
    expected = ours(pick(golden, prefix), THEIRS, 'neck.lifting.')
    running = {k: v for k, v in module.state_dict().items() if 'running' in k}
    assert len(running) == 8
    for name, value in running.items():
        assert_close(value, expected[name], depth, name=name)


@pytest.mark.parametrize('split', [ISSM, IntervalSplit, TopKSplit, WeightingSplit])
@pytest.mark.parametrize('size', [(1, 2, 3), (7, 1, 1), (8, 5, 4)])
@pytest.mark.parametrize('compress', [True, False])
def test_every_split_may_come_before_and_every_parameter_is_trained(
    split, size, compress
):
    module = ConvLADM(6, size, compress=compress)
    vector, y_s = module(*split(6, size[0])(torch.randn(2, 6, *size)))
    assert vector.shape == (2, 6)
    assert y_s.shape == (2, 6, (size[0] + 1) // 2, *size[1:])
    # The vector alone trains both convolutions: the prediction is from Y_S.
    vector.square().sum().backward()
    assert [n for n, p in module.named_parameters() if p.grad is None] == []


def test_the_updater_only_adds_and_the_predictor_only_subtracts():
    module = ConvLADM(4, (4, 3, 3), compress=False)
    x_s, x_d = torch.randn(2, 2, 4, 2, 3, 3)
    vector, y_s = module(x_s, x_d)
    assert (y_s >= x_s).all()
    assert (vector <= x_d.flatten(2).mean(2)).all()


def test_the_norm_can_be_chosen():
    module = ConvLADM(4, (4, 3, 3), norm_cfg=dict(type='GN', num_groups=2))
    assert isinstance(module.updater[0][1], torch.nn.GroupNorm)


def test_a_wrong_shape_is_named_with_the_argument_to_change():
    with pytest.raises(ValueError, match=r'ConvLADM.*input_size=\(T, H, W\)'):
        ConvLADM(8, (8, 2, 2))(*torch.zeros(2, 1, 8, 4, 3, 2))
