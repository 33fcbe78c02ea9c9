"""Checkpoints of the tiny configs, and a small drawn set to run them on."""

from __future__ import annotations

from pathlib import Path

import torch
from mmaction.registry import MODELS
from mmengine.config import Config
from mmengine.registry import init_default_scope

from tests.helpers.figures import DFEW
from tests.helpers.golden import ROOT, load_tool

CONFIGS = {
    'vit': ROOT / 'tests' / 'data' / 'tiny_dfew.py',
    'cnn': ROOT / 'tests' / 'data' / 'tiny_cnn.py',
}


def save_checkpoint(path: Path, config: Path, classes=DFEW, **model) -> Path:
    """Write weights that are drawn at random, large enough to tell clips apart."""
    cfg = Config.fromfile(config)
    cfg.merge_from_dict(dict(model=model))
    init_default_scope('mmaction')
    torch.manual_seed(0)
    recognizer = MODELS.build(cfg.model)
    for parameter in recognizer.parameters():
        if parameter.dim() > 1:
            torch.nn.init.xavier_normal_(parameter)
    meta = dict(dataset_meta=dict(classes=list(classes)))
    torch.save(dict(state_dict=recognizer.state_dict(), meta=meta), path)
    return path


def draw_set(root: Path) -> Path:
    """Draw 70 clips of ten subjects, 14 of them in the test fold."""
    draw = load_tool('data/make_sample_dfew.py').main
    assert draw([str(root), '--subjects', '10', '--size', '32', '--workers', '1']) == 0
    return root
