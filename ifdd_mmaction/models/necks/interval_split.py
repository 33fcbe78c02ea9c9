"""The regular split: every second frame."""

from __future__ import annotations

from mmaction.registry import MODELS
from torch import Tensor

from .temporal_split import TemporalSplit


@MODELS.register_module()
class IntervalSplit(TemporalSplit):
    """Even frames to the context group, odd frames to the dynamics group.

    The split of the classical lifting scheme (Fig. 3, "interval"), and what the
    authors' code does without ISSM. No parameters.
    """

    def split(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Split ``(N, C, T, H, W)``, T even, into ``(N, C, T/2, H, W)`` each."""
        return x[:, :, 0::2], x[:, :, 1::2]
