"""Cross entropy with larger weights on rare classes."""

from __future__ import annotations

from collections.abc import Sequence

import torch.nn.functional as F
from mmaction.registry import MODELS
from torch import Tensor

from .class_counts_loss import ClassCountsLoss


def class_weights(class_counts: Tensor, power: float = 1.0) -> Tensor:
    """Return weights ``count ** -power``, scaled to 1 for the average training clip.

    With power 1 that is ``N / (K * count)``, scikit-learn's ``'balanced'``.

    Args:
        class_counts: Number of training clips of each class, ``(K,)``.
        power: 1 gives all classes the same total weight, 0 all clips.

    Returns:
        ``(K,)``.

    Example:
        >>> from ifdd_mmaction.models.losses import class_weights
        >>> class_weights(torch.tensor([60, 30, 10]))
        tensor([0.5556, 1.1111, 3.3333])
        >>> class_weights(torch.tensor([60, 30, 10]), power=0.5)
        tensor([0.7879, 1.1142, 1.9299])
    """
    counts = class_counts.float()
    weights = counts**-power
    return weights * counts.sum() / (counts * weights).sum()


def class_weighted_loss(cls_score: Tensor, label: Tensor, weight: Tensor) -> Tensor:
    """Cross entropy with a weight on the term of each class, mean over the batch.

    It is divided by the number of clips, not by the sum of their weights as in
    ``torch`` and MMAction2's ``CrossEntropyLoss``: so it is linear in the targets, and
    does not depend on how a batch is split over ranks.

    Args:
        cls_score: Logits ``(N, K)``.
        label: Class indexes ``(N,)`` or soft targets ``(N, K)``.
        weight: ``(K,)``.

    Returns:
        Scalar.

    Example:
        >>> from ifdd_mmaction.models.losses import class_weighted_loss
        >>> scores, labels = torch.zeros(2, 3), torch.tensor([0, 2])
        >>> class_weighted_loss(scores, labels, weight=torch.tensor([1.0, 1.0, 5.0]))
        tensor(3.2958)
    """
    weight = weight.to(cls_score)
    total = F.cross_entropy(cls_score, label, weight=weight, reduction='sum')
    return total / len(cls_score)


@MODELS.register_module()
class ClassWeightedLoss(ClassCountsLoss):
    """Cross entropy with weights from the class counts of the training set.

    The weights are those of scikit-learn's ``class_weight='balanced'`` to a power; see
    https://scikit-learn.org for its ``compute_class_weight``.

    Args:
        power: See :func:`class_weights`.
        class_counts: See :class:`ClassCountsLoss`.

    Example:
        >>> from ifdd_mmaction.models.losses import ClassWeightedLoss
        >>> loss = ClassWeightedLoss(class_counts=[60, 30, 10])
        >>> loss(torch.zeros(2, 3), torch.tensor([0, 2]))
        tensor(2.1362)
    """

    def __init__(
        self, power: float = 1.0, class_counts: Sequence[int] | None = None
    ) -> None:
        super().__init__(class_counts)
        self.power = power

    def loss(self, cls_score: Tensor, label: Tensor) -> Tensor:
        """Compute the loss of logits ``(N, K)``."""
        weight = class_weights(self.class_counts, self.power)
        return class_weighted_loss(cls_score, label, weight)
