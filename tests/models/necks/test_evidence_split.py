"""The split by what a classifier of frames says."""

import pytest
import torch
from mmengine.logging import MMLogger

from ifdd_mmaction.models.necks import EvidenceSplit, IntervalSplit


def bright_is_neutral(window: int, **options) -> EvidenceSplit:
    split = EvidenceSplit(4, 4, num_classes=2, neutral=1, window=window, **options)
    split.weight.copy_(torch.tensor([[-1.0] * 4, [1.0] * 4]))
    return split


FRAMES = torch.tensor([3.0, -2.0, -1.0, 0.0]).view(1, 1, 4, 1, 1).expand(1, 4, 4, 2, 2)


@pytest.mark.parametrize(
    ('window', 'dynamic'),
    # Averaged over three frames, what stands beside a neutral frame counts less.
    [(1, [1, 2]), (3, [2, 3])],
)
def test_dynamics_are_the_frames_that_are_least_neutral(window, dynamic):
    split = bright_is_neutral(window)
    static = sorted({0, 1, 2, 3} - set(dynamic))
    indexes = split.split_indexes(FRAMES)
    assert indexes.dynamic.tolist() == [dynamic] and indexes.static.tolist() == [static]
    x_s, x_d = split(FRAMES)
    assert torch.equal(x_s, FRAMES[:, :, static])
    assert torch.equal(x_d, FRAMES[:, :, dynamic])


def test_scores_are_the_classifiers():
    scores = bright_is_neutral(1).scores(FRAMES)[0]
    # Both classes' logits are four times the brightness, one of them negative.
    expected = 1 - torch.sigmoid(8 * torch.tensor([3.0, -2.0, -1.0, 0.0]))
    assert torch.allclose(scores, expected, atol=1e-6)


def test_without_weights_it_is_the_interval_split():
    x = torch.randn(2, 4, 8, 3, 3)
    for found, expected in zip(
        EvidenceSplit(4, 8)(x), IntervalSplit(4, 8)(x), strict=True
    ):
        assert torch.equal(found, expected)


def test_the_classifier_is_kept_in_checkpoints_and_not_trained(tmp_path):
    split = bright_is_neutral(3)
    assert not list(split.parameters())
    assert set(split.state_dict()) == {'weight', 'bias'}
    path = tmp_path / 'frames.pth'
    head = {f'cls_head.fc_cls.{k}': v + 1 for k, v in split.state_dict().items()}
    torch.save({'state_dict': head | {'backbone.weight': torch.ones(1)}}, path)
    init = dict(type='Pretrained', checkpoint=str(path), prefix='cls_head.fc_cls.')
    other = EvidenceSplit(4, 4, num_classes=2, neutral=1, init_cfg=init)
    other.init_weights()
    for name, value in split.state_dict().items():
        assert torch.equal(other.state_dict()[name], value + 1)
    # Of another number of classes: it would split by nothing.
    with pytest.raises(ValueError, match=r'num_classes=7, .*no weights of 7 x 4'):
        EvidenceSplit(4, 4, init_cfg=init).init_weights()


def test_no_classifier_is_said(caplog):
    logger = MMLogger.get_current_instance()
    logger.addHandler(caplog.handler)
    try:
        bright_is_neutral(3).init_weights()
        assert not caplog.text
        EvidenceSplit(4, 4).init_weights()
    finally:
        logger.removeHandler(caplog.handler)
    assert 'EvidenceSplit has no classifier of frames' in caplog.text


@pytest.mark.parametrize('options', [dict(neutral=7), dict(neutral=-1), dict(window=2)])
def test_wrong_options_are_named(options):
    ((name, value),) = options.items()
    with pytest.raises(ValueError, match=f'{name}={value}'):
        EvidenceSplit(4, 4, **options)
