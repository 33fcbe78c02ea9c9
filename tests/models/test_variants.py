"""Whole models of the paper's variants against the logits of the authors' code."""

import pytest
import torch
from mmaction.registry import MODELS

from tests.helpers.golden import (
    fill_state_dict,
    load_golden,
    load_json,
    load_tool,
    pick,
)
from tests.helpers.numeric import assert_close, depth_of
from tests.models.test_ifdd import mini_model, samples


def ladm(**options):
    return dict(type='LADM', drop_path=0.0, **options)


#: The authors' variants, as arguments of our mini model.
VARIANTS = {
    'full': {},
    'split0_pre1': dict(split=None),
    'split0_pre0': dict(split=None, lifting=ladm(update_first=False)),
    'split1_pre0': dict(lifting=ladm(update_first=False)),
    'nonorm': dict(lifting=ladm(norm=False)),
    'stages0123': dict(scales=(0, 1, 2, 3)),
    'stages3': dict(scales=(3,)),
}


def filled(model, known):
    """Fill a model by the rule of the golden data, which goes by the authors' names.

    Args:
        known: The authors' names of the mini model's weights.
    """
    convert = load_tool('convert/from_authors.py')
    # More stages than the mini model's two: their convolutions have other numbers.
    known = {*known, *(f'backbone.PANLayer.{i}.weight' for i in range(3))}
    names = {convert.our_key(key): key for key in known}
    state = model.state_dict()
    theirs = {names[key]: _their_shape(key, value) for key, value in state.items()}
    return convert.from_authors(fill_state_dict(theirs))


def _their_shape(key, value):
    if key == 'backbone.cls_token':
        return value.flatten()
    return value.squeeze(2) if key.startswith('neck.aggregation.') else value


@pytest.mark.parametrize('name', VARIANTS)
def test_equals_the_logits_and_losses_of_the_authors_variant(name):
    golden, expected = load_golden('mini_full'), load_json('meta_mini')[name]
    model = mini_model(**VARIANTS[name]).double()
    model.load_state_dict(filled(model, pick(golden, 'state/')))
    depth, x = depth_of(model), golden['x'][:, None].double()
    losses = model.loss(x, samples(golden['target']))
    for key, value in (('loss_cls', 'ce'), ('loss_context', 'lift')):
        assert_close(losses[key], torch.tensor(expected[value]), depth)
    model.eval()
    feature, _ = model.extract_feat(x, test_mode=True)
    logits = torch.tensor(expected['logits'])
    assert_close(model.cls_head(feature), logits, depth)


def untrained(model):
    """Return which modules get no gradient from a training step, as DDP would see."""
    losses = model.loss(torch.rand(2, 1, 3, 8, 64, 64), samples([1, 5]))
    model.parse_losses(losses)[0].backward()
    missing = [n for n, p in model.named_parameters() if p.grad is None]
    return {'.'.join(name.split('.')[:3]) for name in missing}


@pytest.mark.parametrize('name', VARIANTS)
def test_a_constraint_of_weight_0_leaves_no_parameter_unused(name):
    model = mini_model(**VARIANTS[name])
    model.cls_head.loss_cls.loss_weight = 0.0
    assert untrained(model) == set()


@pytest.mark.parametrize('name, expected', [
    ('full', set()),
    ('split0_pre1', set()),
    ('split1_pre0', {'neck.lifting.updater'}),
])  # fmt: skip
def test_behind_a_stock_head_only_predict_first_leaves_the_updater_unused(
    name, expected
):
    model = mini_model(**VARIANTS[name])
    head = dict(type='I3DHead', num_classes=7, in_channels=64, topk=(1,))
    model.cls_head = MODELS.build(head)
    assert untrained(model) == expected
