"""The rows of the probe: readouts of the features of clips."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from mmaction.registry import MODELS
from torch import Tensor, nn

from ifdd_mmaction.models.necks.temporal_split import SplitIndexes, TemporalSplit

from .constraints import CONSTRAINTS, Constraint

#: Rows without a neck, then (split, lifting) of those with one.
POOLINGS = ('mean', 'attention')
SPLITS = dict(
    interval=dict(type='IntervalSplit'),
    issm=dict(type='ISSM', receptive_field=2.0),
    issm_4=dict(type='ISSM', receptive_field=4.0),
    oracle=dict(),  # of this tool: not registered
)
LIFTINGS = dict(
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

    ``intensity`` ``(N, T)`` of the clips is set before each batch.
    """

    intensity: Tensor

    def locate(self, x: Tensor) -> SplitIndexes:
        """Return the frames ``(N, T/2)`` of each group, in temporal order."""
        order = self.intensity.argsort(dim=1, descending=True, stable=True)
        dynamic, static = (half.sort(dim=1).values for half in order.chunk(2, dim=1))
        return SplitIndexes(static.float(), dynamic.float())

    def split(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Split ``(N, C, T, H, W)``, T even, into ``(N, C, T/2, H, W)`` each."""
        clips = torch.arange(len(x))[:, None]
        groups = [x.transpose(1, 2)[clips, i.long()] for i in self.locate(x)[:2]]
        return groups[0].transpose(1, 2), groups[1].transpose(1, 2)


class Readout(nn.Module):
    """One row: features X ``(N, C, T, H, W)`` to scores of the classes."""

    def __init__(self, row: str, size: Sequence[int], head: nn.Linear) -> None:
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
            sizes = dict(in_channels=c, num_frames=t)
            self.split = (
                OracleSplit(**sizes)
                if split == 'oracle'
                else MODELS.build(SPLITS[split] | sizes)
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
