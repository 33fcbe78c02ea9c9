"""Pyramid aggregation: join the stages of a multiscale backbone into one map."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from mmaction.registry import MODELS
from mmengine.model import BaseModule
from torch import Tensor, nn

from ..layers.pooling import adaptive_mean
from .feature_pyramid import describe


def relative_strides(sizes: Sequence[Sequence[int]]) -> list[int]:
    """Return the stride that brings each (H, W) to the last one.

    Raises:
        ValueError: If a size has no such stride.
    """
    target = tuple(sizes[-1])
    strides = [-(-size[0] // target[0]) for size in sizes]
    if any(
        tuple(-(-side // r) for side in size) != target
        for size, r in zip(sizes, strides, strict=True)
    ):
        raise ValueError(
            f'no stride brings the levels of sizes {[tuple(s) for s in sizes]} to the '
            'last one: use other stages, or an input size that the backbone halves '
            'without a remainder, such as a multiple of 32.'
        )
    return strides


@MODELS.register_module()
class PyramidAggregation(BaseModule):
    """Join stages at the resolution of the last one (reference: PANLayer, CatConv).

    Every stage but the last goes through a 3x3 convolution whose stride, dilation and
    padding are its stride ``r`` relative to the last stage; the results are
    concatenated along channels and mixed by a 1x1 convolution, all without bias, norm
    or activation::

        stage i      (N, C_i, T, r_i H, r_i W) -- conv 3x3, stride r_i --+
        last stage   (N, C_L, T, H, W) ----------------------------------+-- cat
                                              -- conv 1x1 --> (N, C_L, T, H, W)

    A single stage is not joined and has no parameters, unless ``out_channels`` differs.
    A stage with more frames than the last one (CSN, SlowFast) is first averaged over
    time to its T; in the authors' backbone all stages have the same T.

    Args:
        in_channels: Channels of each stage used, the last one being the target.
        strides: Spatial stride of each stage relative to the last; by default each
            stage is twice as fine as the next.
        stages: Which levels of the pyramid to take, in which order; all by default.
        out_channels: Channels of the joined map; by default those of the last stage.
            Fewer make a small neck behind a wide backbone: the parameters of the
            lifting grow with their square.
        init_cfg: Initial weights, as of any ``mmengine.model.BaseModule``.

    Raises:
        ValueError: If the stages' channels, T or sizes do not fit; the message names
            the argument to change.

    Example:
        >>> from ifdd_mmaction.models.necks import PyramidAggregation
        >>> aggregation = PyramidAggregation(in_channels=[8, 16, 32])
        >>> shapes = (8, 4, 28, 28), (16, 4, 14, 14), (32, 4, 7, 7)
        >>> stages = [torch.rand(2, *shape) for shape in shapes]
        >>> aggregation(stages).shape
        torch.Size([2, 32, 4, 7, 7])
    """

    def __init__(
        self,
        in_channels: Sequence[int],
        strides: Sequence[int] | None = None,
        stages: Sequence[int] | None = None,
        out_channels: int | None = None,
        init_cfg: dict | None = None,
    ) -> None:
        super().__init__(init_cfg=init_cfg)
        self.in_channels = list(in_channels)
        depth = len(self.in_channels)
        if strides is None:
            strides = [2 ** (depth - 1 - i) for i in range(depth)]
        self.strides = list(strides)
        self.stages = list(range(depth)) if stages is None else list(stages)
        if not depth or not depth == len(self.strides) == len(self.stages):
            raise ValueError(
                f'PyramidAggregation got in_channels={self.in_channels}, '
                f'strides={self.strides}, stages={self.stages}: '
                'give one entry per stage to each.'
            )
        if self.strides[-1] != 1:
            raise ValueError(
                f'strides={self.strides}: the last stage is the target, its stride '
                'relative to itself is 1.'
            )
        self.out_channels = out_channels or self.in_channels[-1]
        # A 2-D convolution per frame, written as (1, k, k) so that no frame is copied.
        self.downsample = nn.ModuleList(
            nn.Conv3d(
                channels,
                channels,
                kernel_size=(1, 3, 3),
                stride=(1, r, r),
                padding=(0, r, r),
                dilation=(1, r, r),
                bias=False,
            )
            for channels, r in zip(self.in_channels[:-1], self.strides, strict=False)
        )
        self.mix = (
            nn.Conv3d(sum(self.in_channels), self.out_channels, 1, bias=False)
            if depth > 1 or self.out_channels != self.in_channels[-1]
            else nn.Identity()
        )

    def forward(self, pyramid: Sequence[Tensor]) -> Tensor:
        """Map the levels ``(N, C_i, T, H_i, W_i)`` to one map ``(N, C_L, T, H, W)``."""
        levels = self._pick(pyramid)
        frames = levels[-1].shape[2]
        levels = [
            x if x.shape[2] == frames else adaptive_mean(x, (frames, *x.shape[3:]))
            for x in levels
        ]
        joined = [
            *(conv(x) for conv, x in zip(self.downsample, levels[:-1], strict=True)),
            levels[-1],
        ]
        if any(x.shape[3:] != levels[-1].shape[3:] for x in joined):
            strides = relative_strides([x.shape[3:] for x in levels])
            raise ValueError(
                f'PyramidAggregation with strides={self.strides} brings the levels '
                f'{describe(levels)} to {describe(joined)}: set strides of the '
                f'aggregation to {strides}.'
            )
        return self.mix(torch.cat(joined, dim=1))

    def _pick(self, pyramid: Sequence[Tensor]) -> list[Tensor]:
        if max(self.stages) >= len(pyramid):
            raise ValueError(
                f'PyramidAggregation needs stages {self.stages}, but the backbone '
                f'returned {len(pyramid)} level(s): {describe(pyramid)}. '
                'Set out_indices (MViT: out_scales) of the backbone, or stages here.'
            )
        levels = [pyramid[i] for i in self.stages]
        channels = [x.shape[1] for x in levels]
        if channels != self.in_channels:
            raise ValueError(
                f'PyramidAggregation was built with in_channels={self.in_channels}, '
                f'but the levels have {channels}: {describe(levels)}. '
                'Set in_channels of the neck to the latter.'
            )
        if any(x.shape[2] < levels[-1].shape[2] for x in levels):
            raise ValueError(
                f'a level has fewer frames than the last one: {describe(levels)}. Set '
                'stages so that the level with the fewest frames is the last.'
            )
        return levels
