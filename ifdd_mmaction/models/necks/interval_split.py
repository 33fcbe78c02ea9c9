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

    Example:
        >>> from ifdd_mmaction.models.necks import IntervalSplit
        >>> x = torch.arange(6.0).view(1, 1, 6, 1, 1)  # frame i has the value i
        >>> x_s, x_d = IntervalSplit(in_channels=1, num_frames=6)(x)
        >>> x_s.flatten().tolist(), x_d.flatten().tolist()
        ([0.0, 2.0, 4.0], [1.0, 3.0, 5.0])
    """

    def split(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Split ``(N, C, T, H, W)``, T even, into ``(N, C, T/2, H, W)`` each."""
        return x[:, :, 0::2], x[:, :, 1::2]
