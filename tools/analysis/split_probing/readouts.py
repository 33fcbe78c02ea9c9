"""The rows of the probe: readouts of the features of clips."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch.nn.functional as F
from mmaction.registry import MODELS
from torch import Tensor, nn

from ifdd_mmaction.errors import InputError
from ifdd_mmaction.models.necks import EvidenceSplit
from ifdd_mmaction.models.necks.temporal_split import (
    SplitIndexes,
    TemporalSplit,
    rank_halves,
    take_frames,
)

from .constraints import CONSTRAINTS, Constraint

#: Rows without a neck, then (split, lifting) of those with one.
POOLINGS = ('mean', 'attention')
SPLITS: dict[str, dict[str, Any]] = dict(
    interval=dict(type='IntervalSplit'),
    issm=dict(type='ISSM', receptive_field=2.0),
    issm_4=dict(type='ISSM', receptive_field=4.0),
    evidence=dict(window=1),  # the frames that a classifier finds least neutral
    evidence_3=dict(window=3),
    oracle=dict(),  # of this tool: not registered
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


class OracleSplit(TemporalSplit):
    """The half of the frames with the highest known intensity to the dynamics group.

    Attributes:
        intensity: Known intensity ``(N, T)``, set for each batch.
    """

    intensity: Tensor

    def locate(self, x: Tensor) -> SplitIndexes:
        """Return the frames ``(N, T/2)`` of each group, in temporal order."""
        dynamic, static = rank_halves(self.intensity)
        return SplitIndexes(static.float(), dynamic.float())

    def split(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Split ``(N, C, T, H, W)``, T even, into ``(N, C, T/2, H, W)`` each."""
        static, dynamic, _ = self.locate(x)
        return take_frames(x, static.long()), take_frames(x, dynamic.long())


def evidence_split(
    size: tuple[int, int], head: nn.Linear, neutral: int, window: int
) -> EvidenceSplit:
    """Return the split by what a classifier of frames, which is copied, says."""
    split = EvidenceSplit(*size, head.out_features, neutral, window)
    split.load_state_dict(head.state_dict())
    return split


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
                self.split = evidence_split((c, t), head, neutral, **SPLITS[split])
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
