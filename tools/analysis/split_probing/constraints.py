"""Ways to compute the constraint of the disentanglement loss."""

from __future__ import annotations

from typing import NamedTuple

import torch.nn.functional as F
from torch import Tensor

from ifdd_mmaction.models.losses import global_context_loss
from ifdd_mmaction.models.necks.ladm import context_gap

#: Clips of a batch, where a constraint does not say otherwise.
BATCH = 32


class Constraint(NamedTuple):
    """How the constraint on the context is computed, and in which training.

    Args:
        distance: ``'relaxed'``, the paper's Huber loss of averages over channels and
            time; ``'strict'``, of every value; ``'channels'``, of averages over time;
            ``'L1'`` of the paper's averages; ``'cosine'`` of averages over time.
        warm_up: Share of the steps over which the weight rises from 0.
        detached: Whether its gradient ends at the lifting and does not move the split.
        batch: Clips of a batch.
    """

    distance: str = 'relaxed'
    warm_up: float = 0.0
    detached: bool = False
    batch: int = BATCH

    def __call__(self, x: Tensor, y_s: Tensor) -> Tensor:
        """Return the distance of the context of ``(N, C, T, H, W)`` from Y_S."""
        if self.distance in ('relaxed', 'strict'):
            return global_context_loss(
                context_gap(x, y_s, relaxed=self.distance == 'relaxed')
            )
        if self.distance == 'L1':
            return context_gap(x, y_s).abs().mean()
        context, fine = x.mean(dim=2), y_s.mean(dim=2)
        if self.distance == 'channels':
            return global_context_loss(context - fine)
        return 1 - F.cosine_similarity(context, fine, dim=1).mean()


#: What ``--constraints`` knows: the paper's, and each thing that is changed alone.
CONSTRAINTS = {
    'paper': Constraint(),
    'strict': Constraint('strict'),
    'channels': Constraint('channels'),
    'L1': Constraint('L1'),
    'cosine': Constraint('cosine'),
    'warm-up': Constraint(warm_up=0.5),
    'detached': Constraint(detached=True),
    'batch of 8': Constraint(batch=8),
    'batch of 128': Constraint(batch=128),
}
