"""The learning rates that the schedules of configs/ really set, epoch by epoch."""

import pytest
import torch
from mmaction.registry import PARAM_SCHEDULERS
from mmengine.config import Config

from tests.helpers.golden import ROOT, load_golden

SCHEDULES = ROOT / 'configs' / '_base_' / 'schedules'


def rates(name):
    """Return the learning rate of every epoch of a schedule."""
    cfg = Config.fromfile(SCHEDULES / f'{name}.py')
    parameter = torch.nn.Parameter(torch.zeros(1))
    options = dict(cfg.optim_wrapper.optimizer)
    assert options.pop('type') == 'AdamW' and options['weight_decay'] == 1e-3
    optimizer = torch.optim.AdamW([parameter], **options)
    schedulers = [
        PARAM_SCHEDULERS.build(dict(scheduler, optimizer=optimizer))
        for scheduler in cfg.param_scheduler
    ]
    found = []
    for _ in range(cfg.train_cfg.max_epochs):
        found.append(optimizer.param_groups[0]['lr'])
        optimizer.step()
        for scheduler in schedulers:
            scheduler.step()
    return found


def test_the_authors_schedule_is_reproduced_epoch_by_epoch():
    expected = load_golden('lr_schedule')['lr'].tolist()
    assert rates('ifdd_100e_authors') == pytest.approx(expected, rel=1e-6)


def test_ours_is_the_authors_less_the_overshoot_of_the_warm_up():
    expected = load_golden('lr_schedule')['lr'].tolist()
    found = rates('ifdd_100e')
    assert found[0] == pytest.approx(expected[0])
    warm_up = [1e-6 + epoch * (5e-5 - 1e-6) / 9 for epoch in range(10)]
    assert found[:10] == pytest.approx(warm_up, rel=1e-6)
    assert found[10:] == pytest.approx(expected[10:], rel=1e-6)
