"""Mixup and CutMix of our config, by MMAction2's classes, against the authors' ones."""

import numpy as np
import pytest
import torch
from mmaction.registry import MODELS
from mmaction.structures import ActionDataSample
from mmengine.config import Config

from tests.helpers.golden import ROOT, load_golden, pick
from tests.helpers.numeric import assert_close


class Recorder(torch.nn.Module):
    """A loss that keeps the targets it gets."""

    def forward(self, scores, targets):
        self.targets = targets
        return scores.sum()


@pytest.mark.parametrize('seed', range(10))
def test_blends_and_targets_equal_the_authors(seed, monkeypatch):
    golden = load_golden('mixup')
    expected = pick(golden, f'seed{seed}/')
    model = Config.fromfile(ROOT / 'configs' / 'ifdd_vit_dfew.py').model
    blending = MODELS.build(model.data_preprocessor.blending)
    cutmix = bool(expected['use_cutmix'])
    kind = 'CutmixBlending' if cutmix else 'MixupBlending'
    (index,) = (i for i, a in enumerate(blending.augments) if type(a).__name__ == kind)
    # Their choices instead of ours, which come from another generator: which blend,
    # how much, where, and with whom (they pair a batch with its reverse).
    y0, y1, x0, x1 = expected['bbox_y0y1x0x1'].tolist()
    augment = blending.augments[index]
    monkeypatch.setattr(np.random, 'choice', lambda *_, **__: index)
    monkeypatch.setattr(torch, 'randperm', lambda n: torch.arange(n).flip(0))
    monkeypatch.setattr(augment.beta, 'sample', lambda: expected['lam'])
    if cutmix:
        monkeypatch.setattr(augment, 'rand_bbox', lambda *_: (x0, y0, x1, y1))

    samples = [ActionDataSample().set_gt_label(int(i)) for i in golden['label']]
    clips, samples = blending(golden['x'][:, None].double(), samples)
    # Two products and their sum, in float32 over there.
    assert_close(clips[:, 0], expected['x_mixed'], 3)

    head = MODELS.build(dict(model.cls_head, in_channels=4))
    head.loss_cls = Recorder()
    head.loss(torch.zeros(len(samples), 4), samples)
    assert_close(head.loss_cls.targets, expected['target'], 3)


def test_the_config_blends_with_the_authors_parameters():
    model = Config.fromfile(ROOT / 'configs' / 'ifdd_vit_dfew.py').model
    mixup, cutmix = MODELS.build(model.data_preprocessor.blending).augments
    concentrations = [b.beta.concentration0.item() for b in (mixup, cutmix)]
    assert concentrations == pytest.approx([0.8, 1.0])
    assert model.cls_head.label_smooth_eps == 0.1
