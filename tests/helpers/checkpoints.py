"""A model with a checkpoint, and a predictor with known results."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from mmaction.registry import MODELS
from mmengine.config import Config
from mmengine.registry import init_default_scope

from tests.helpers.golden import ROOT

CONFIG = ROOT / 'configs' / 'ifdd_vit_sample.py'
DFEW = ('happy', 'sad', 'neutral', 'angry', 'surprise', 'disgust', 'fear')


def save_checkpoint(path: Path, config: Path = CONFIG, classes=DFEW, **model) -> Path:
    """Save the untrained model of a config as MMEngine does."""
    cfg = Config.fromfile(config)
    cfg.merge_from_dict(dict(model=model))
    # Fixtures of a module come before the one that sets the scope for each test.
    init_default_scope('mmaction')
    torch.manual_seed(0)
    recognizer = MODELS.build(cfg.model)
    recognizer.init_weights()
    meta = dict(dataset_meta=dict(classes=classes)) if classes else {}
    torch.save(dict(state_dict=recognizer.state_dict(), meta=meta), path)
    return path


class Brightness:
    """A predictor of two classes: the probability is the brightness of the clip."""

    classes = ('bright', 'neutral')

    def __init__(self) -> None:
        self.batches: list[tuple[int, ...]] = []

    def __call__(self, clips: torch.Tensor) -> np.ndarray:
        self.batches.append(tuple(clips.shape))
        share = clips.float().flatten(1).mean(1).numpy() / 255
        return np.stack([share, 1 - share], axis=1)
