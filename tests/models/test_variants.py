"""Whole models of the paper's variants against the logits of the authors' code."""

import pytest
import torch

from tests.golden import (
    fill_state_dict,
    load_golden,
    load_json,
    load_tool,
    pick,
)
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
    model = mini_model(**VARIANTS[name])
    model.load_state_dict(filled(model, pick(golden, 'state/')))
    losses = model.loss(golden['x'][:, None], samples(golden['target']))
    close = dict(atol=1e-5, rtol=0)
    for key, value in (('loss_cls', 'ce'), ('loss_context', 'lift')):
        wanted = torch.tensor(expected[value])
        torch.testing.assert_close(losses[key], wanted, **close)
    model.eval()
    feature, _ = model.extract_feat(golden['x'][:, None], test_mode=True)
    logits = torch.tensor(expected['logits'])
    torch.testing.assert_close(model.cls_head(feature), logits, **close)
