"""A dataset and a backbone for runs of a second, in any process."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch
from mmaction.registry import DATASETS, MODELS
from mmcv.cnn.bricks import DropPath
from mmengine.model import BaseModule
from torch import nn

from ifdd_mmaction.datasets.tolerant_dataset import TolerantDataset


@dataclass
class DrawnSource:
    """Frames of noise with a bright bar that tells the class."""

    name: str
    label: int
    size: int = 12
    frames: int = 9

    def __len__(self):
        return self.frames

    def read(self, indexes):
        number = int(self.name)
        images = np.random.RandomState(number).randint(
            0, 60, (self.frames, self.size, self.size, 3), dtype=np.uint8
        )
        for i, image in enumerate(images):
            image[:, (self.label + i) % self.size] += 150
        return [images[i].copy() for i in indexes]


@DATASETS.register_module()
class DrawnClips(TolerantDataset):
    METAINFO: ClassVar[dict] = dict(classes=tuple('abcdefg'))

    def __init__(self, clips, pipeline, test_mode=False, log=None, **kwargs):
        self.clips = clips
        self.log = log
        super().__init__(
            ann_file='', pipeline=pipeline, test_mode=test_mode, data_prefix={}
        )

    def load_data_list(self):
        return [
            dict(
                video_id=str(i),
                label=i % 7,
                source=DrawnSource(str(i), i % 7),
                total_frames=9,
            )
            for i in range(self.clips)
        ]

    def prepare_data(self, idx):
        data = super().prepare_data(idx)
        if self.log:  # what was loaded, and with which random numbers
            with open(self.log, 'a') as file:
                print(idx, int(data['inputs'].long().sum()), file=file)
        return data


@MODELS.register_module()
class PoisonedLoss(nn.Module):
    """Cross-entropy, spoilt for batches with a clip of one class."""

    def __init__(self, label, factor=1.0, summand=0.0):
        super().__init__()
        self.label = label
        self.factor = factor
        self.summand = summand

    def forward(self, scores, label):
        loss = nn.functional.cross_entropy(scores, label)
        if (label == self.label).any():
            loss = loss * self.factor + self.summand
        return loss


@MODELS.register_module()
class DrawnBackbone(BaseModule):
    """All that draws or keeps statistics: convolution, batch norm, dropout."""

    def __init__(self, plain=False):
        super().__init__()
        self.conv = nn.Conv3d(3, 8, 3, padding=1, bias=False)
        self.norm = nn.Identity() if plain else nn.BatchNorm3d(8)
        self.branch = nn.Conv3d(8, 8, 1)
        self.drop = nn.Sequential(nn.Dropout(0.2), DropPath(0.3))
        if plain:
            self.drop = nn.Identity()

    def forward(self, x):
        x = torch.relu(self.norm(self.conv(x)))
        return x + self.drop(self.branch(x))
