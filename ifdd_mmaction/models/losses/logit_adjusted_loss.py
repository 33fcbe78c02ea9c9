"""Logit adjustment (Menon et al., ICLR 2021, arXiv 2007.07314, eq. 10)."""

from __future__ import annotations

from collections.abc import Sequence

import torch.nn.functional as F
from mmaction.registry import MODELS
from torch import Tensor

from .class_counts_loss import ClassCountsLoss


def logit_adjusted_loss(
    cls_score: Tensor, label: Tensor, class_counts: Tensor, tau: float = 1.0
) -> Tensor:
    """Cross entropy of the logits plus ``tau`` times the log of the class frequencies.

    In training a rare class needs a larger margin; in testing, where nothing is added,
    it is predicted more often. With ``tau=1`` the minimum is the best classifier for
    UAR, with 0 it is cross entropy.

    Args:
        cls_score: Logits ``(N, K)``.
        label: Class indexes ``(N,)`` or soft targets ``(N, K)``.
        class_counts: Number of training clips of each class, ``(K,)``.
        tau: Strength.

    Returns:
        Scalar: the mean over the batch.

    Example:
        >>> from ifdd_mmaction.models.losses import logit_adjusted_loss
        >>> counts = torch.tensor([60, 30, 10])
        >>> logit_adjusted_loss(torch.zeros(1, 3), torch.tensor([0]), counts)
        tensor(0.5108)
        >>> logit_adjusted_loss(torch.zeros(1, 3), torch.tensor([2]), counts)
        tensor(2.3026)
    """
    counts = class_counts.float()
    prior = (counts / counts.sum()).log()
    return F.cross_entropy(cls_score + tau * prior, label)


@MODELS.register_module()
class LogitAdjustedLoss(ClassCountsLoss):
    """Logit-adjusted cross entropy with the class counts of the training set.

    Args:
        tau: See :func:`logit_adjusted_loss`.
        class_counts: See :class:`ClassCountsLoss`.

    Example:
        >>> from ifdd_mmaction.models.losses import LogitAdjustedLoss
        >>> loss = LogitAdjustedLoss(tau=1.0, class_counts=[60, 30, 10])
        >>> loss(torch.zeros(2, 3), torch.tensor([0, 2]))
        tensor(1.4067)
    """

    def __init__(
        self, tau: float = 1.0, class_counts: Sequence[int] | None = None
    ) -> None:
        super().__init__(class_counts)
        self.tau = tau

    def loss(self, cls_score: Tensor, label: Tensor) -> Tensor:
        """Compute the loss of logits ``(N, K)``."""
        return logit_adjusted_loss(cls_score, label, self.class_counts, self.tau)
