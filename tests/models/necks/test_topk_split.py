import pytest
import torch

from ifdd_mmaction.models.necks import TopKSplit
from tests.helpers.golden import load_golden
from tests.helpers.numeric import assert_close


@pytest.mark.parametrize('name, prior_order', [
    ('issmvar_topk', True), ('issmvar_topk_noprior', False),
])  # fmt: skip
def test_equals_the_authors_module(name, prior_order):
    golden = load_golden(name)
    module = TopKSplit(8, 8, prior_order=prior_order).double()
    x = golden['x'].double().view(2, 8, 8, 7, 7)
    depth = x[0, :, 0].numel()  # frames are correlated whole
    for found, expected in zip(module(x), (golden['x_a'], golden['x_d']), strict=True):
        assert_close(found.flatten(3), expected, depth)


@pytest.mark.parametrize('prior_order', [True, False])
@pytest.mark.parametrize('t', [1, 5, 8])
def test_it_hands_out_every_frame_once_in_order(prior_order, t):
    x = torch.randn(1, 6, t, 2, 2) + torch.arange(t).view(1, 1, t, 1, 1) * 100
    groups = TopKSplit(6, t, prior_order=prior_order)(x)
    first, second = (
        (group.mean(dim=(1, 3, 4)) / 100).round()[0].tolist() for group in groups
    )
    assert first == sorted(first) and second == sorted(second)
    assert sorted(first + second) == sorted([*range(t), *[t - 1] * (t % 2)])


def test_it_prefers_even_frames_where_all_are_alike():
    x = torch.randn(1, 3, 1, 4, 4).expand(-1, -1, 6, -1, -1).clone()
    x += 1e-4 * torch.arange(6).view(1, 1, 6, 1, 1)  # to tell them apart
    x_s, _ = TopKSplit(3, 6)(x)
    assert torch.equal(x_s, x[:, :, 0::2])
