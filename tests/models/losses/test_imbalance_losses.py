import math

import pytest
import torch
import torch.nn.functional as F
from mmaction.registry import MODELS
from mmaction.structures import ActionDataSample

from ifdd_mmaction.models.losses import (
    class_weighted_loss,
    class_weights,
    logit_adjusted_loss,
)
from tests.helpers import numeric

#: Training clips of DFEW's fold 1.
DFEW = torch.tensor([1956, 1515, 2135, 1738, 1175, 116, 721])
LOSSES = [dict(type='ClassWeightedLoss'), dict(type='LogitAdjustedLoss')]


def assert_close(found, expected):
    """At most six clips of seven classes are summed; their weights are float32."""
    numeric.assert_close(found, expected, 6 * 7, dtype=torch.float32)


@pytest.mark.parametrize('power, expected', [
    # 9356 / (7 * count)
    (1.0, [0.6833, 0.8822, 0.6260, 0.7690, 1.1375, 11.5222, 1.8538]),
    (0.0, [1.0] * 7),
])  # fmt: skip
def test_weights_of_dfew(power, expected):
    weights = class_weights(DFEW, power)
    # Half a unit of the last digit.
    assert weights.tolist() == pytest.approx(expected, abs=5e-5)


@pytest.mark.parametrize('power', [0.5, 1.0])
def test_weights_go_with_the_power_and_a_clip_weighs_1_on_average(power):
    weights = class_weights(DFEW, power)
    ratio = torch.tensor((2135 / 116) ** power)
    assert_close(weights[5] / weights[2], ratio)
    assert_close((weights * DFEW).sum() / DFEW.sum(), torch.tensor(1.0))


def test_weighted_loss_by_hand():
    # Scores of 0 give every class the probability 1/2: each clip's loss is
    # weight * ln 2. The mean is over two clips, not over the weights' sum of 4.
    loss = class_weighted_loss(
        torch.zeros(2, 2), torch.tensor([0, 1]), torch.tensor([1.0, 3.0])
    )
    assert_close(loss, torch.tensor((1 + 3) / 2 * math.log(2)))


def test_logit_adjustment_by_hand():
    # Of 1 and 3 clips: softmax(0 + log(1/4), 0 + log(3/4)) is (1/4, 3/4).
    counts, scores = torch.tensor([1, 3]), torch.zeros(1, 2)
    for label, probability in ((0, 1 / 4), (1, 3 / 4)):
        loss = logit_adjusted_loss(scores, torch.tensor([label]), counts)
        assert_close(loss, torch.tensor(-math.log(probability)))
    # tau = 2 squares the frequencies: (1/16, 9/16) are 1 to 9.
    loss = logit_adjusted_loss(scores, torch.tensor([0]), counts, tau=2.0)
    assert_close(loss, torch.tensor(math.log(10)))
    loss = logit_adjusted_loss(scores, torch.tensor([0]), counts, tau=0.0)
    assert_close(loss, torch.tensor(math.log(2)))


def test_logit_adjustment_is_the_pairwise_margin_loss_of_the_paper():
    # Eq. 11 of arXiv 2007.07314 with all weights 1:
    # log(1 + sum over y' != y of (pi_y' / pi_y)^tau * exp(f_y' - f_y)).
    scores, tau = torch.randn(5, 7), 1.3
    prior = DFEW / DFEW.sum()
    for i, y in enumerate([0, 5, 2, 6, 5]):
        terms = (prior / prior[y]) ** tau * torch.exp(scores[i] - scores[i, y])
        expected = torch.log1p(terms.sum() - 1)
        loss = logit_adjusted_loss(scores[i : i + 1], torch.tensor([y]), DFEW, tau)
        assert_close(loss, expected)


@pytest.fixture(params=LOSSES, ids=lambda cfg: cfg['type'])
def loss(request):
    loss = MODELS.build(request.param)
    loss.set_class_counts(DFEW)
    return loss


def test_the_loss_is_linear_in_soft_targets(loss):
    scores = torch.randn(6, 7)
    first, second = torch.randint(7, (2, 6))
    one_hot = F.one_hot(first, 7).float()
    assert_close(loss(scores, first), loss(scores, one_hot))
    mixed = 0.3 * one_hot + 0.7 * F.one_hot(second, 7)
    expected = 0.3 * loss(scores, first) + 0.7 * loss(scores, second)
    assert_close(loss(scores, mixed), expected)


def test_the_loss_does_not_depend_on_how_a_batch_is_split(loss):
    scores, labels = torch.randn(6, 7), torch.tensor([5, 5, 5, 2, 2, 0])
    halves = (loss(scores[:3], labels[:3]) + loss(scores[3:], labels[3:])) / 2
    assert_close(loss(scores, labels), halves)


def test_equal_counts_leave_cross_entropy(loss):
    loss.set_class_counts([40] * 7)
    scores, labels = torch.randn(6, 7), torch.arange(6)
    assert_close(loss(scores, labels), F.cross_entropy(scores, labels))


def test_counts_are_in_the_checkpoint_and_loaded_into_a_loss_without(loss):
    other = MODELS.build(dict(type=type(loss).__name__))
    other.load_state_dict(loss.state_dict(), strict=True)
    assert other.class_counts.tolist() == DFEW.tolist()


@pytest.mark.parametrize('cfg', LOSSES, ids=lambda cfg: cfg['type'])
def test_missing_or_wrong_counts_are_refused(cfg):
    loss = MODELS.build(cfg)
    with pytest.raises(RuntimeError, match='ClassCountsHook'):
        loss(torch.zeros(1, 7), torch.tensor([0]))
    with pytest.raises(ValueError, match=r'no training clip of class \[1\]'):
        loss.set_class_counts([3, 0, 2])
    loss.set_class_counts([3, 1, 2])
    with pytest.raises(RuntimeError, match='counts of 3 classes, the model scores 7'):
        loss(torch.zeros(1, 7), torch.tensor([0]))


@pytest.mark.parametrize('cfg', LOSSES, ids=lambda cfg: cfg['type'])
def test_the_head_trains_with_it_beside_the_constraint(cfg):
    head = MODELS.build(
        dict(
            type='IFDDHead',
            num_classes=7,
            in_channels=4,
            label_smooth_eps=0.1,
            loss_cls=dict(
                type='DisentanglementLoss', task=dict(cfg, class_counts=DFEW.tolist())
            ),
        )
    )
    samples = [ActionDataSample().set_gt_label(torch.eye(7)[i]) for i in (0, 5)]
    gap = torch.randn(2, 4)
    losses = head.loss(torch.randn(2, 4), samples, loss_aux=dict(context_gap=gap))
    assert set(losses) == {'loss_cls', 'loss_context'}
    losses['loss_cls'].backward()
    assert head.fc_cls.weight.grad.abs().sum() > 0
