"""Grad-CAM of the neck, compared with Captum's Grad-CAM of layers."""

import pytest
import torch
from captum.attr import LayerGradCam
from mmaction.registry import MODELS
from mmengine.config import Config
from torch import nn

from ifdd_mmaction.analysis import disentangle, grad_cam
from tests.helpers.numeric import assert_close, depth_of
from tests.helpers.tiny_models import CONFIGS


def build(kind, **neck):
    cfg = Config.fromfile(CONFIGS[kind])
    cfg.merge_from_dict(dict(model=dict(neck=neck)))
    model = MODELS.build(cfg.model).eval()
    for parameter in model.parameters():
        if parameter.dim() > 1:
            nn.init.xavier_normal_(parameter)
    return model


class Tail(nn.Module):
    """Computes scores from a map of the neck, with a layer for Captum to hook."""

    def __init__(self, function):
        super().__init__()
        self.map = nn.Identity()
        self.function = function

    def forward(self, x):
        return self.function(self.map(x))


@pytest.mark.parametrize('kind', ['vit', 'cnn'])
def test_it_equals_captum(kind):
    model = build(kind).double()
    inputs, target = torch.randn(2, 1, 3, 8, 32, 32, dtype=torch.double), [3, 5]
    found = grad_cam(model, inputs, target)
    assert found.y_d.shape == found.y_s.shape == (2, 2, 2, 2)
    with torch.no_grad():
        parts = disentangle(model, inputs)
    assert torch.equal(found.frames_d, parts.frames_d)
    assert torch.equal(found.frames_s, parts.frames_s)
    lifting, head = model.neck.lifting, model.cls_head

    def from_y_d(y_d):
        return head(lifting.to_vector(y_d))

    def from_y_s(y_s):
        if kind == 'cnn':
            return from_y_d(parts.x_d - lifting.predictor(y_s))
        d = lifting.norm_dynamic(parts.x_d.flatten(2).transpose(1, 2))
        d = d - lifting.predictor(d, y_s.flatten(2).transpose(1, 2))
        return from_y_d(d.transpose(1, 2).reshape(y_s.shape))

    for cam, feature, function in (
        (found.y_d, parts.y_d, from_y_d),
        (found.y_s, parts.y_s, from_y_s),
    ):
        tail = Tail(function)
        theirs = LayerGradCam(tail, tail.map).attribute(
            feature.detach().requires_grad_(), torch.tensor(target)
        )
        assert_close(cam, theirs[:, 0].relu(), depth_of(model))
        assert cam.max() > 0 and not cam.requires_grad
        assert_close(found.scores, tail(feature), depth_of(model))


@pytest.mark.parametrize('neck', [
    dict(lifting=None), dict(lifting=dict(update_first=False)),
])  # fmt: skip
def test_a_context_that_does_not_affect_the_score_has_no_map(neck):
    found = grad_cam(build('vit', **neck), torch.randn(1, 1, 3, 8, 32, 32), [0])
    assert found.y_s is None and found.y_d.shape == (1, 2, 2, 2)


def test_a_neck_that_splits_nothing_is_refused():
    model = build('vit', split=None, lifting=None)
    with pytest.raises(ValueError, match='neither split nor lifting'):
        grad_cam(model, torch.randn(1, 1, 3, 8, 32, 32), [0])
