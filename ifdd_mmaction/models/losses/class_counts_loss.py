"""Base of the losses that use the class counts of the training set."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from typing import Any

import torch
from mmengine.model import BaseModule
from torch import Tensor


class ClassCountsLoss(BaseModule):
    """A classification loss that uses the number of training clips of each class.

    The counts are a buffer, so that a checkpoint contains them.
    :class:`ClassCountsHook` sets them from the training set; give ``class_counts``
    only to override the data.

    Args:
        class_counts: Number of training clips of each class.
    """

    class_counts: Tensor

    def __init__(self, class_counts: Sequence[int] | None = None) -> None:
        super().__init__()
        self.given = class_counts is not None
        self.register_buffer('class_counts', torch.zeros(0, dtype=torch.long))
        if class_counts is not None:
            self.set_class_counts(class_counts)

    def set_class_counts(self, counts: Sequence[int] | Tensor) -> None:
        """Keep the counts, ``(K,)``.

        Raises:
            ValueError: If a class has no clip: these losses divide by its frequency.
        """
        counts = torch.as_tensor(counts, device=self.class_counts.device).long()
        if empty := torch.nonzero(counts < 1).flatten().tolist():
            raise ValueError(
                f'{type(self).__name__}: no training clip of class {empty} (counts '
                f'{counts.tolist()}). Train with clips of every class, or with '
                'CrossEntropyLoss.'
            )
        self.class_counts = counts

    def forward(self, cls_score: Tensor, label: Tensor) -> Tensor:
        """Return the mean loss of a batch, linear in the targets.

        Args:
            cls_score: Logits ``(N, K)``.
            label: Class indexes ``(N,)`` or soft targets ``(N, K)``.

        Raises:
            RuntimeError: If K is not the number of counts, or there are none.
        """
        classes = cls_score.shape[1]
        if len(self.class_counts) != classes:
            name = type(self).__name__
            raise RuntimeError(
                f'{name} has the counts of {len(self.class_counts)} classes, the model '
                f'scores {classes}. '
                + (
                    'Set num_classes of the head to the classes of the dataset.'
                    if len(self.class_counts)
                    else "Add dict(type='ClassCountsHook') to the hooks, which counts "
                    'the training set, or set class_counts.'
                )
            )
        return self.loss(cls_score, label)

    @abstractmethod
    def loss(self, cls_score: Tensor, label: Tensor) -> Tensor:
        """Compute the loss of logits ``(N, K)``; the counts have been checked."""

    def _load_from_state_dict(
        self, state_dict: dict[str, Any], prefix: str, *args: Any
    ) -> None:
        # The checkpoint determines the number of classes.
        if (counts := state_dict.get(f'{prefix}class_counts')) is not None:
            self.class_counts = torch.empty_like(
                counts, device=self.class_counts.device
            )
        super()._load_from_state_dict(state_dict, prefix, *args)
