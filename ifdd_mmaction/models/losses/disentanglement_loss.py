"""The disentanglement loss: task loss plus global-context constraint."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from mmaction.registry import MODELS
from mmengine.model import BaseModule
from torch import Tensor


def global_context_loss(context_gap: Tensor, reduction: str = 'mean') -> Tensor:
    """Huber loss (delta 1) between the clip's global context and the fine context Y_S.

    Args:
        context_gap: Global context minus fine context, ``(N, ...)``
            (see :func:`ifdd_mmaction.models.necks.ladm.context_gap`).
        reduction: ``'mean'`` over the clips, or ``'batch_sum'``, the authors' sum over
            the clips of a batch, which grows with the batch size.

    Returns:
        Scalar.

    Raises:
        ValueError: If ``reduction`` is neither.

    Example:
        >>> from ifdd_mmaction.models.losses import global_context_loss
        >>> gap = torch.full((2, 7, 7), 0.5)  # of two clips
        >>> global_context_loss(gap)
        tensor(0.1250)
        >>> global_context_loss(gap, reduction='batch_sum')
        tensor(0.2500)
    """
    zero = torch.zeros_like(context_gap)
    per_clip = F.huber_loss(context_gap, zero, reduction='none').flatten(1).mean(1)
    if reduction == 'mean':
        return per_clip.mean()
    if reduction == 'batch_sum':
        return per_clip.sum()
    raise ValueError(f"reduction={reduction!r}: set it to 'mean' or 'batch_sum'.")


@MODELS.register_module()
class DisentanglementLoss(BaseModule):
    """Task loss on the dynamics, plus the constraint that Y_S stays global context.

    Args:
        task: The classification loss, hard or soft targets.
        loss_weight: Weight of the constraint.
        reduction: ``'mean'`` or, as the authors' code computes, ``'batch_sum'``: at
            their batch of 16, ``reduction='mean'`` with ``loss_weight=1.6`` is the
            same loss and does not change with the batch size.

    Example:
        >>> from ifdd_mmaction.models.losses import DisentanglementLoss
        >>> loss = DisentanglementLoss(loss_weight=0.1)
        >>> loss(torch.zeros(2, 7), torch.tensor([0, 3]), torch.full((2, 7, 7), 0.5))
        {'loss_cls': tensor(1.9459), 'loss_context': tensor(0.0125)}
    """

    def __init__(
        self,
        task: dict | None = None,
        loss_weight: float = 0.1,
        reduction: str = 'mean',
    ) -> None:
        super().__init__()
        self.task = MODELS.build(task or dict(type='CrossEntropyLoss'))
        self.loss_weight = loss_weight
        self.reduction = reduction

    def forward(
        self, cls_score: Tensor, label: Tensor, context_gap: Tensor | None = None
    ) -> dict[str, Tensor]:
        """Return ``loss_cls`` and, when there is a context gap, ``loss_context``.

        Args:
            cls_score: Logits ``(N, K)``.
            label: Class indexes ``(N,)`` or soft targets ``(N, K)``.
            context_gap: ``(N, ...)``, or None where the neck returns none.
        """
        losses = dict(loss_cls=self.task(cls_score, label))
        if context_gap is not None:
            losses['loss_context'] = self.context_loss(context_gap)
        return losses

    def context_loss(self, context_gap: Tensor) -> Tensor:
        """Return the weighted constraint on a context gap ``(N, ...)``."""
        return self.loss_weight * global_context_loss(context_gap, self.reduction)
