import pytest
import torch

from ifdd_mmaction.models.losses import DisentanglementLoss, global_context_loss
from tests.helpers.golden import load_golden
from tests.helpers.numeric import assert_close


def test_equals_the_authors_loss_and_gradient():
    golden = load_golden('loss')
    gap = golden['pool_a'].double().requires_grad_()
    loss = DisentanglementLoss(reduction='batch_sum').context_loss(gap)
    assert_close(loss, golden['lift_loss'], gap.numel())
    loss.backward()
    assert_close(gap.grad, golden['lift_grad'], gap.numel())


def test_task_loss_takes_soft_and_hard_targets():
    golden = load_golden('loss')
    logits = golden['logits'].double().requires_grad_()
    losses = DisentanglementLoss()(logits, golden['soft'].double())
    assert losses.keys() == {'loss_cls'}
    assert_close(losses['loss_cls'], golden['ce'], logits.numel())
    losses['loss_cls'].backward()
    assert_close(logits.grad, golden['ce_grad'], logits.numel())
    hard = DisentanglementLoss()(logits, golden['soft'].argmax(1))
    assert hard['loss_cls'] > 0


def test_the_mean_does_not_depend_on_how_a_batch_is_split():
    gap = torch.randn(6, 3, 3, dtype=torch.double) * 3
    whole = global_context_loss(gap)
    halves = (global_context_loss(gap[:3]) + global_context_loss(gap[3:])) / 2
    assert_close(whole, halves, gap.numel())
    summed = global_context_loss(gap, 'batch_sum')
    assert_close(summed, 6 * whole, gap.numel())


def test_an_unknown_reduction_is_refused():
    with pytest.raises(ValueError, match="'mean' or 'batch_sum'"):
        global_context_loss(torch.zeros(1, 1), 'none')
