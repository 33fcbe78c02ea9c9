"""The rows of the probe: readouts of the features of clips."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F
from mmaction.registry import MODELS
from torch import Tensor, nn

from ifdd_mmaction.errors import InputError
from ifdd_mmaction.models.necks.temporal_split import SplitIndexes, TemporalSplit

from .constraints import CONSTRAINTS, Constraint

#: Rows without a neck, then (split, lifting) of those with one.
POOLINGS = ('mean', 'attention')
SPLITS: dict[str, dict[str, Any]] = dict(
    interval=dict(type='IntervalSplit'),
    issm=dict(type='ISSM', receptive_field=2.0),
    issm_4=dict(type='ISSM', receptive_field=4.0),
    evidence=dict(),  # of this tool, as the next ones: not registered
    evidence_3=dict(window=3),
    oracle=dict(),
)
LIFTINGS: dict[str, dict[str, Any]] = dict(
    paper=dict(type='LADM', num_heads=4, drop_path=0.0),
    average=dict(
        type='LADM', num_heads=4, norm=False, output_attention=False, compress=False
    ),
)
ROWS = [
    *POOLINGS,
    *(f'{split} + {lifting}' for lifting in LIFTINGS for split in SPLITS),
]
DROPOUT = 0.1


class RankedSplit(TemporalSplit):
    """The half of the frames with the highest scores to the dynamics group."""

    def scores(self, x: Tensor) -> Tensor:
        """Return the score ``(N, T)`` of each frame of ``(N, C, T, H, W)``."""
        raise NotImplementedError

    def locate(self, x: Tensor) -> SplitIndexes:
        """Return the frames ``(N, T/2)`` of each group, in temporal order."""
        order = self.scores(x).argsort(dim=1, descending=True, stable=True)
        dynamic, static = (half.sort(dim=1).values for half in order.chunk(2, dim=1))
        return SplitIndexes(static.float(), dynamic.float())

    def split(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Split ``(N, C, T, H, W)``, T even, into ``(N, C, T/2, H, W)`` each."""
        clips = torch.arange(len(x))[:, None]
        groups = [x.transpose(1, 2)[clips, i.long()] for i in self.locate(x)[:2]]
        return groups[0].transpose(1, 2), groups[1].transpose(1, 2)


class OracleSplit(RankedSplit):
    """Scores are the known intensity: ``intensity`` ``(N, T)``, set for each batch."""

    intensity: Tensor

    def scores(self, x: Tensor) -> Tensor:
        """Return the known intensity ``(N, T)``."""
        return self.intensity


class EvidenceSplit(RankedSplit):
    """Scores are what a classifier of frames says: how little neutral a frame is.

    Args:
        head: Classifier ``C -> K`` of the mean of a frame, as the first stage of
            static_first.py leaves it; it is not trained here.
        neutral: Number of the class without an expression.
        window: Frames, an odd number, over which scores are averaged: blinks and speech
            are briefer than expressions.
    """

    def __init__(
        self,
        in_channels: int,
        num_frames: int,
        head: nn.Linear,
        neutral: int,
        window: int = 1,
    ) -> None:
        super().__init__(in_channels, num_frames)
        self.classifier = copy.deepcopy(head).requires_grad_(False)
        self.neutral = neutral
        self.window = window

    def scores(self, x: Tensor) -> Tensor:
        """Return ``(N, T)``, one minus the probability of neutral, from 0 to 1."""
        frames = x.mean(dim=(3, 4)).transpose(1, 2)  # (N, T, C)
        scores = 1 - self.classifier(frames).softmax(dim=2)[..., self.neutral]
        return F.avg_pool1d(
            scores[:, None],
            self.window,
            stride=1,
            padding=self.window // 2,
            count_include_pad=False,
        ).squeeze(dim=1)


class Readout(nn.Module):
    """One row: features X ``(N, C, T, H, W)`` to scores of the classes.

    Args:
        row: Of :data:`ROWS`.
        size: (C, T, H, W) of the features.
        head: Classifier that the row starts from.
        neutral: Number of the class without an expression, if there is one.

    Raises:
        InputError: If the row is that of the evidence and there is none.
    """

    def __init__(
        self,
        row: str,
        size: Sequence[int],
        head: nn.Linear,
        neutral: int | None = None,
    ) -> None:
        super().__init__()
        c, t, h, w = size
        self.row, self.split = row, None
        self.head = nn.Linear(c, head.out_features)
        self.head.load_state_dict(head.state_dict())
        if row == 'attention':
            self.query = nn.Linear(c * h * w, 1)
            self.head = nn.Linear(c * h * w, head.out_features)
        elif row not in POOLINGS:
            split, lifting = row.split(' + ')
            if split == 'oracle':
                self.split = OracleSplit(c, t)
            elif split.startswith('evidence'):
                if neutral is None:
                    raise InputError(
                        f'{row}: no class is called neutral, so that no frame is more '
                        'or less so: leave this row out of --rows'
                    )
                self.split = EvidenceSplit(c, t, head, neutral, **SPLITS[split])
            else:
                self.split = MODELS.build(
                    dict(SPLITS[split], in_channels=c, num_frames=t)
                )
            self.lifting = MODELS.build(
                dict(LIFTINGS[lifting], in_channels=c, input_size=(t, h, w))
            )

    def forward(
        self, x: Tensor, constraint: Constraint = CONSTRAINTS['paper']
    ) -> tuple[Tensor, Tensor]:
        """Return scores ``(N, K)`` and the value of the constraint on the context."""
        value = x.new_zeros(())
        if self.split is not None:
            groups = self.split(x)
            vector, y_s = self.lifting(*groups)
            if constraint.detached:
                _, y_s = self.lifting(*(group.detach() for group in groups))
            value = constraint(x, y_s)
        elif self.row == 'attention':
            frames = x.transpose(1, 2).flatten(2)  # (N, T, C * H * W)
            vector = (self.query(frames).softmax(dim=1) * frames).sum(dim=1)
        else:
            vector = x.mean(dim=(2, 3, 4))
        return self.head(F.dropout(vector, DROPOUT, self.training)), value
