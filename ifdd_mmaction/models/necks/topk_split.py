"""The split by rank: the frames that correlate best with the clip, and the others."""

from __future__ import annotations

import torch
from mmaction.registry import MODELS
from torch import Tensor

from .temporal_split import (
    SplitIndexes,
    TemporalSplit,
    frame_tokens,
    rank_halves,
    take_frames,
)


@MODELS.register_module()
class TopKSplit(TemporalSplit):
    """The T/2 frames that correlate best with the clip are the context group.

    ::

        A = z z^T / C       z: the frames, pooled and flattened
        s = mean_j A[:, j]  (+ 1 for even frames)

    Each group stays in temporal order. No parameters, and no gradient through the
    choice (Fig. 3, "top-k"; reference: adaptSplit_dotsim). Frames of equal score are
    ranked in temporal order.

    Args:
        in_channels: Channels C of the input.
        num_frames: Temporal length T of the input.
        pooled_size: Height and width to which each map is pooled for the correlation.
        prior_order: Whether even frames are preferred for the context, so that frames
            of equal correlation are split regularly.
        init_cfg: Initial weights, as of any ``mmengine.model.BaseModule``.

    Example:
        >>> from ifdd_mmaction.models.necks import TopKSplit
        >>> x = torch.tensor([1.0, 1.0, 5.0, 5.0]).view(1, 1, 4, 1, 1)
        >>> split = TopKSplit(in_channels=1, num_frames=4, prior_order=False)
        >>> indexes = split.split_indexes(x)
        >>> indexes.static.tolist(), indexes.dynamic.tolist()
        ([[2, 3]], [[0, 1]])
    """

    def __init__(
        self,
        in_channels: int,
        num_frames: int,
        pooled_size: int = 7,
        prior_order: bool = True,
        init_cfg: dict | None = None,
    ) -> None:
        super().__init__(in_channels, num_frames, init_cfg=init_cfg)
        self.pooled_size = pooled_size
        self.prior_order = prior_order

    def split(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Split ``(N, C, T, H, W)``, T even, into ``(N, C, T/2, H, W)`` each."""
        indexes = self.locate(x)
        return take_frames(x, indexes.static), take_frames(x, indexes.dynamic)

    @torch.no_grad()
    def locate(self, x: Tensor) -> SplitIndexes:
        """Return the frames ``(N, T/2)`` of each group and the correlation A."""
        z = frame_tokens(x, self.pooled_size)
        correlation = torch.bmm(z, z.transpose(1, 2)) / x.shape[1]  # (N, T, T)
        scores = correlation.mean(dim=2)
        if self.prior_order:
            scores[:, 0::2] += 1
        static, dynamic = rank_halves(scores)
        return SplitIndexes(static, dynamic, correlation)
