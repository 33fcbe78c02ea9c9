import pytest
import torch

from ifdd_mmaction.models.necks import WeightingSplit
from tests.helpers.golden import load_golden, ours, pick
from tests.helpers.numeric import assert_close, depth_of

POSITION = dict(position=True, project_scores=True)


@pytest.mark.parametrize('name, options', [
    ('issmvar_weight', {}), ('issmvar_weight_pos_tproj', POSITION),
])  # fmt: skip
def test_equals_the_authors_module(name, options):
    golden = load_golden(name)
    module = WeightingSplit(8, 8, **options).double()
    state = pick(golden, 'state/')
    theirs = 'backbone.WaveLifts.adapt_split.'
    module.load_state_dict(ours(state, theirs, 'neck.split.'))
    x = golden['x'].double().view(2, 8, 8, 7, 7)
    depth = depth_of(module) + x[0, :, 0].numel()  # frames are correlated whole
    for found, expected in zip(module(x), (golden['x_a'], golden['x_d']), strict=True):
        assert_close(found.flatten(3), expected, depth)
        # The frame that wins the softmax hides the others, but no logarithms.
        sizes = [group.flatten(3).abs().amax((1, 3)) for group in (found, expected)]
        normal = sizes[1] > 1e-30  # below, float32 loses digits
        assert_close(*(size[normal].log() for size in sizes), depth)


def test_the_weights_of_a_clip_sum_to_one():
    module = WeightingSplit(4, 6, **POSITION).double()
    weights = module.weights(torch.randn(3, 4, 6, 2, 2, dtype=torch.double))
    assert_close(weights.sum(dim=1), torch.ones(3, dtype=torch.double), 6)
