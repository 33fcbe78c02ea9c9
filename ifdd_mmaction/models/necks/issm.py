"""ISSM: split the frames of a clip into global context and unique dynamics."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from mmaction.registry import MODELS
from mmengine.model.weight_init import trunc_normal_
from torch import Tensor, nn

from ..layers.pooling import adaptive_mean
from .temporal_split import SplitIndexes, TemporalSplit


def sample_frames(x: Tensor, position: Tensor) -> Tensor:
    """Read frames at real positions by linear interpolation, differentiable in both.

    Args:
        x: ``(N, C, T, H, W)``.
        position: ``(N, n)``, in frames from 0 to T - 1; clipped into that range, with
            no gradient where it is clipped.

    Returns:
        ``(N, C, n, H, W)``, laid out with channels last.

    Example:
        >>> from ifdd_mmaction.models.necks import sample_frames
        >>> x = torch.arange(4.0).view(1, 1, 4, 1, 1)  # frame i has the value i
        >>> sample_frames(x, torch.tensor([[0.5, 2.0, 9.0]])).flatten()
        tensor([0.5000, 2.0000, 3.0000])
    """
    n, c, t, h, w = x.shape
    position = position.clamp(0, t - 1)
    # At most T - 2, so that a position on the last frame has a gradient.
    low = position.detach().floor().clamp(max=max(t - 2, 0))
    fraction = (position - low)[..., None]
    frame = torch.arange(t, device=x.device, dtype=position.dtype)
    at_low = (frame == low[..., None]).to(position.dtype)
    at_high = (frame == low[..., None] + 1).to(position.dtype)
    weight = at_low * (1 - fraction) + at_high * fraction  # (N, n, T)
    rows = x.permute(0, 2, 3, 4, 1).reshape(n, t, h * w * c)
    frames = torch.bmm(weight.to(rows.dtype), rows)  # (N, n, H * W * C)
    return frames.reshape(n, -1, h, w, c).permute(0, 4, 1, 2, 3)


@MODELS.register_module()
class ISSM(TemporalSplit):
    """Inter-frame Static-dynamic Splitting Module: content-aware temporal split.

    Frames are correlated, and each row of correlations, softmax-ed with either sign,
    shifts the regular even and odd indexes by up to ``receptive_field`` frames; the
    groups are read there by linear interpolation (Fig. 3, "index interpolation")::

        z    = GELU(conv1x1(pool(x)))                   per frame, flattened
        A    = z z^T / C                                (T, T)
        i_S  = (0, 2, ...) + R tanh(W_S softmax( A))    context group
        i_D  = (1, 3, ...) + R tanh(W_D softmax(-A))    dynamics group

    It differs from the authors' code in two ways: position i reads frame i exactly (see
    ``align_corners``), and their unused parameters are removed.

    Args:
        in_channels: Channels C of the input.
        num_frames: Temporal length T of the input; an odd T is padded by repeating
            the last frame.
        receptive_field: Largest shift R, in frames.
        pooled_size: Height and width to which each map is pooled for the correlation.
        corr_channels: Channels of the correlated representation. The authors reuse
            the pooled size, 7.
        align_corners: True reads frame i at index i. False reproduces the grid of the
            authors' checkpoints, where index i reads ``i T / (T - 1) - 1/2``.
        init_cfg: Initial weights, as of any ``mmengine.model.BaseModule``.

    Example:
        >>> from ifdd_mmaction.models.necks import ISSM
        >>> split = ISSM(in_channels=16, num_frames=8)
        >>> x = torch.rand(2, 16, 8, 7, 7)
        >>> x_s, x_d = split(x)
        >>> x_s.shape, x_d.shape
        (torch.Size([2, 16, 4, 7, 7]), torch.Size([2, 16, 4, 7, 7]))
        >>> indexes = split.split_indexes(x)
        >>> indexes.static.shape, indexes.correlation.shape
        (torch.Size([2, 4]), torch.Size([2, 8, 8]))
    """

    def __init__(
        self,
        in_channels: int,
        num_frames: int,
        receptive_field: float = 2.0,
        pooled_size: int = 7,
        corr_channels: int = 7,
        align_corners: bool = True,
        init_cfg: dict | None = None,
    ) -> None:
        super().__init__(in_channels, num_frames, init_cfg=init_cfg)
        self.receptive_field = receptive_field
        self.pooled_size = pooled_size
        self.align_corners = align_corners
        frames = self.even_frames
        self.reduce = nn.Conv2d(in_channels, corr_channels, kernel_size=1)
        self.offset_static = nn.Linear(frames**2, frames // 2, bias=False)
        self.offset_dynamic = nn.Linear(frames**2, frames // 2, bias=False)
        trunc_normal_(self.offset_static.weight, std=0.03)
        trunc_normal_(self.offset_dynamic.weight, std=0.03)

    def split(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Split ``(N, C, T, H, W)``, T even, into ``(N, C, T/2, H, W)`` each."""
        indexes = self.locate(x)
        position = torch.cat([indexes.static, indexes.dynamic], dim=1)
        groups = sample_frames(x, self._to_grid(position))
        x_s, x_d = groups.chunk(2, dim=2)
        return x_s, x_d

    def locate(self, x: Tensor) -> SplitIndexes:
        """Return the content-aware indexes of ``(N, C, T, H, W)``, T even."""
        n, c, t, _, _ = x.shape
        frames = x.transpose(1, 2).flatten(0, 1)  # (N * T, C, H, W)
        pooled = adaptive_mean(frames, (self.pooled_size, self.pooled_size))
        z = F.gelu(self.reduce(pooled)).reshape(n, t, -1)
        correlation = torch.bmm(z, z.transpose(1, 2)) / c  # (N, T, T)
        regular = torch.arange(t, device=x.device, dtype=x.dtype)
        return SplitIndexes(
            regular[0::2] + self._shift(self.offset_static, correlation),
            regular[1::2] + self._shift(self.offset_dynamic, -correlation),
            correlation,
        )

    def _shift(self, project: nn.Linear, correlation: Tensor) -> Tensor:
        weights = correlation.softmax(dim=-1).flatten(1)
        return self.receptive_field * torch.tanh(project(weights))

    def frames_read(self, index: Tensor) -> Tensor:
        """Return the frames, from 0 to T - 1, that indexes ``(N, n)`` read."""
        return super().frames_read(self._to_grid(index))

    def _to_grid(self, index: Tensor) -> Tensor:
        if self.align_corners:
            return index
        return index * self.even_frames / (self.even_frames - 1) - 0.5
