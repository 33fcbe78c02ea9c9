"""The temperature of a checkpoint, and the division of a head's logits."""

import pytest
import torch
from mmaction.registry import MODELS
from torch import nn

from ifdd_mmaction.engine import divide_logits, read_temperature
from ifdd_mmaction.errors import InputError


@pytest.mark.parametrize('meta', [{}, None, dict(calibration=None), dict(epoch=3)])
def test_without_a_temperature_the_command_that_fits_one_is_named(meta):
    with pytest.raises(
        InputError, match=r'a\.pth has no temperature: fit one with `if'
    ):
        read_temperature(meta, 'a.pth')


@pytest.mark.parametrize(
    'value', [0, -1.0, float('nan'), float('inf'), '2', None, True, [2.0]]
)
def test_what_is_no_positive_number_is_no_temperature(value):
    for stored in (dict(temperature=value), value):
        if stored is None:
            continue
        message = 'not a positive number|has no temperature'
        with pytest.raises(InputError, match=message) as caught:
            read_temperature(dict(calibration=stored), 'a.pth')
        assert '\n' not in str(caught.value)


HEADS = [
    dict(type='IFDDHead', num_classes=7, in_channels=8),
    dict(type='I3DHead', num_classes=7, in_channels=8),
    dict(type='TSNHead', num_classes=7, in_channels=8),
]


@pytest.mark.parametrize('average', ['score', 'prob', None])
@pytest.mark.parametrize('head', HEADS, ids=lambda head: head['type'])
def test_the_logits_of_each_view_are_divided(head, average):
    from mmaction.structures import ActionDataSample

    model = nn.Module()
    model.cls_head = MODELS.build(dict(head, average_clips=average)).eval()
    wrapped = nn.DataParallel(model)
    views = 3
    features = torch.randn(2 * views, 8, 4, 2, 2)
    options = {}
    if head['type'] == 'TSNHead':
        features, options = features[:, :, 0], dict(num_segs=1)

    def predict():
        samples = [ActionDataSample() for _ in range(2)]
        found = model.cls_head.predict(features, samples, **options)
        return torch.stack([sample.pred_score for sample in found])

    with torch.no_grad():
        logits = model.cls_head(features, **options)
        before = predict()
        handle = divide_logits(wrapped, 1.6)
        assert torch.equal(model.cls_head(features, **options), logits / 1.6)
        wanted = model.cls_head.average_clip(logits / 1.6, num_segs=views)
        assert torch.equal(predict(), wanted)
        handle.remove()
        assert torch.equal(predict(), before)


def test_a_model_without_logits_is_refused():
    with pytest.raises(InputError, match='Linear has no cls_head'):
        divide_logits(nn.Linear(2, 2), 2.0)

    class Pair(nn.Module):
        def forward(self, x):
            return x, x

    model = nn.Module()
    model.cls_head = Pair()
    divide_logits(model, 2.0)
    with pytest.raises(InputError, match='Pair returns a tuple, not the logits'):
        model.cls_head(torch.ones(1))
