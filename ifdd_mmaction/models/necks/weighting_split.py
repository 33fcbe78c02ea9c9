"""The split by weight: frames are scaled by their correlation with the others."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from mmaction.registry import MODELS
from torch import Tensor, nn

from .temporal_split import SplitIndexes, TemporalSplit, frame_tokens


@MODELS.register_module()
class WeightingSplit(TemporalSplit):
    """Frames are weighted by their correlation, then split regularly.

    ::

        z   = W vec(pool(x_t))             (+ position_t, then W')
        A   = z z^T / sqrt(C)              (T, T)
        s_t = sum_j A[t, j]                or GELU(w . A[t] + b)
        x_t <- softmax(s)_t x_t            even frames to X_S, odd frames to X_D

    Fig. 3, "weighting"; reference: adaptSplit_dotsim_weight. The weights of a clip
    sum to 1, so the groups are T times smaller than the clip on average.

    Args:
        in_channels: Channels C of the input.
        num_frames: Temporal length T of the input.
        pooled_size: Height and width to which each map is pooled for the correlation.
        position: Whether to add a learned temporal position, zero at first, and
            project once more.
        project_scores: Whether a learned projection T -> 1 with a GELU makes the
            score of a frame from its correlations, instead of their sum.
        init_cfg: Initial weights, as of any ``mmengine.model.BaseModule``.

    Example:
        >>> from ifdd_mmaction.models.necks import WeightingSplit
        >>> split = WeightingSplit(in_channels=16, num_frames=8)
        >>> x = torch.rand(2, 16, 8, 7, 7)
        >>> x_s, x_d = split(x)
        >>> x_s.shape, split.weights(x).shape
        (torch.Size([2, 16, 4, 7, 7]), torch.Size([2, 8]))
    """

    def __init__(
        self,
        in_channels: int,
        num_frames: int,
        pooled_size: int = 7,
        position: bool = False,
        project_scores: bool = False,
        init_cfg: dict | None = None,
    ) -> None:
        super().__init__(in_channels, num_frames, init_cfg=init_cfg)
        self.pooled_size = pooled_size
        self.reduce = nn.Linear(pooled_size**2 * in_channels, in_channels)
        self.has_position = position
        if position:
            self.position = nn.Parameter(torch.zeros(self.even_frames, in_channels))
            self.mix = nn.Linear(in_channels, in_channels)
        self.project_scores = project_scores
        if project_scores:
            self.score = nn.Linear(self.even_frames, 1)

    def split(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Split ``(N, C, T, H, W)``, T even, into ``(N, C, T/2, H, W)`` each."""
        x = x * self.weights(x)[:, None, :, None, None]
        return x[:, :, 0::2], x[:, :, 1::2]

    def weights(self, x: Tensor) -> Tensor:
        """Return the weight of each frame of ``(N, C, T, H, W)``, ``(N, T)``."""
        correlation = self.correlate(x)
        if self.project_scores:
            scores = F.gelu(self.score(correlation))[..., 0]
        else:
            scores = correlation.sum(dim=2)
        return scores.softmax(dim=1)

    def locate(self, x: Tensor) -> SplitIndexes:
        """Return the even and odd frames ``(N, T/2)``, and the correlation A."""
        return super().locate(x)._replace(correlation=self.correlate(x))

    def correlate(self, x: Tensor) -> Tensor:
        """Return the correlation A of the frames of ``(N, C, T, H, W)``, T even."""
        z = self.reduce(frame_tokens(x, self.pooled_size))  # (N, T, C)
        if self.has_position:
            z = self.mix(z + self.position)
        return torch.bmm(z, z.transpose(1, 2)) / x.shape[1] ** 0.5
