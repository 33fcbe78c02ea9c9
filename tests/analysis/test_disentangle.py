import pytest
import torch
from mmaction.registry import MODELS

from ifdd_mmaction.analysis import disentangle
from tests.models.test_ifdd import mini_model


def recognizer_2d():
    return MODELS.build(
        dict(
            type='Recognizer2D',
            backbone=dict(type='ResNet', depth=18, out_indices=(2, 3), norm_eval=False),
            neck=dict(type='IFDDNeck', in_channels=[256, 512], input_size=(4, 1, 1)),
            cls_head=dict(type='IFDDHead', num_classes=7, in_channels=512),
        )
    )


@pytest.mark.parametrize('build, shape, x_shape', [
    (mini_model, (2, 2, 3, 8, 64, 64), (4, 64, 4, 2, 2)),
    (recognizer_2d, (2, 4, 3, 32, 32), (2, 512, 4, 1, 1)),
])  # fmt: skip
def test_it_works_with_any_recognizer(build, shape, x_shape):
    model = build().eval()
    inputs = torch.randn(shape)
    with torch.no_grad():
        found = disentangle(model, inputs)
        feature, _ = model.extract_feat(inputs)
    assert found.x.shape == x_shape
    assert torch.equal(found.vector, feature.flatten(1))
    assert not model.neck._forward_pre_hooks


def test_a_model_without_the_neck_is_refused():
    model = mini_model()
    del model.neck
    with pytest.raises(ValueError, match='Recognizer3D has neck NoneType'):
        disentangle(model, torch.zeros(1, 1, 3, 8, 64, 64))
