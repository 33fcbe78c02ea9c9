"""Convolutions in front of the patches of a vision transformer."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from mmengine.model import BaseModule
from torch import Tensor, nn


class ConvStem(BaseModule):
    """Embed patches with convolutions of stride 2 first (arXiv 2106.14881).

    Each is spatial, 3 x 3, with an instance norm and a GELU; the patches that are left
    are embedded as before, by one convolution. Tokens and their number are the same.

    Args:
        projection: The convolution that embeds the patches, which this replaces; its
            spatial stride is its kernel size.
        channels: Channels of each convolution.

    Raises:
        ValueError: If the patches overlap, or are not 2^n pixels or a multiple of that.
    """

    def __init__(self, projection: nn.Conv3d, channels: Sequence[int]) -> None:
        super().__init__()
        (depth, *patch), (step, *stride) = projection.kernel_size, projection.stride
        factor = 2 ** len(channels)
        if patch != stride or any(edge % factor for edge in patch):
            raise ValueError(
                f'stem_channels={tuple(channels)}: {len(channels)} convolutions of '
                f'stride 2 need patches of a multiple of {factor} pixels that do not '
                f'overlap, got kernel {tuple(patch)} and stride {tuple(stride)}: set '
                'patch_cfg'
            )
        widths = [projection.in_channels, *channels]
        layers: list[nn.Module] = []
        for before, after in pairwise(widths):
            layers += [
                nn.Conv3d(before, after, (1, 3, 3), (1, 2, 2), (0, 1, 1), bias=False),
                nn.InstanceNorm3d(after, affine=True),
                nn.GELU(),
            ]
        self.stem = nn.Sequential(*layers)
        left = [edge // factor for edge in patch]
        self.projection = nn.Conv3d(
            widths[-1],
            projection.out_channels,
            (depth, *left),
            (step, *left),
            (int(projection.padding[0]), 0, 0),
        )

    def forward(self, x: Tensor) -> tuple[Tensor, tuple[int, int, int]]:
        """Return the tokens ``(N, T * H * W, C)`` of a clip and their (T, H, W)."""
        x = self.projection(self.stem(x))
        t, h, w = x.shape[2:]
        return x.flatten(2).transpose(1, 2), (t, h, w)
