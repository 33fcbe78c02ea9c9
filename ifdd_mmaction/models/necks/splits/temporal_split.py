"""What every temporal split shares: the checks, the even length, the precision."""

from __future__ import annotations

from abc import abstractmethod

import torch
import torch.nn.functional as F
from mmengine.model import BaseModule
from torch import Tensor


def pad_to_even(x: Tensor) -> Tensor:
    """Repeat the last frame of ``(N, C, T, ...)`` when T is odd, T = 1 included.

    Both groups of a split have the same number of frames: the predictor subtracts
    them frame by frame. This is the rule for odd clips everywhere in this package.
    """
    return torch.cat([x, x[:, :, -1:]], dim=2) if x.shape[2] % 2 else x


def frame_tokens(x: Tensor, size: int) -> Tensor:
    """Pool and flatten the frames of ``(N, C, T, H, W)`` to ``(N, T, size^2 C)``."""
    frames = x.transpose(1, 2).flatten(0, 1)  # (N * T, C, H, W)
    pooled = F.adaptive_avg_pool2d(frames, size)
    return pooled.flatten(2).transpose(1, 2).reshape(x.shape[0], x.shape[2], -1)


class TemporalSplit(BaseModule):
    """Base of the splits of a clip ``(N, C, T, H, W)`` into X_S and X_D.

    A subclass implements :meth:`split` for an even T. The groups have ``ceil(T/2)``
    frames each.

    Args:
        in_channels: Channels C of the input.
        num_frames: Temporal length T of the input; an odd T is padded by repeating
            the last frame.

    Raises:
        ValueError: If the input has another C or T; the message names the argument.
    """

    def __init__(
        self, in_channels: int, num_frames: int, init_cfg: dict | None = None
    ) -> None:
        super().__init__(init_cfg=init_cfg)
        if num_frames < 1:
            raise ValueError(f'num_frames={num_frames}: a clip has at least one frame.')
        self.in_channels = in_channels
        self.num_frames = num_frames
        self.even_frames = num_frames + num_frames % 2

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Split ``(N, C, T, H, W)`` into X_S, X_D: ``(N, C, ceil(T/2), H, W)`` each."""
        x = self._even(x)
        # Positions and scores need float32: half precision resolves a frame number
        # badly, and swaps frames of similar scores.
        with torch.autocast(x.device.type, enabled=False):
            wide = x.float() if x.dtype in (torch.half, torch.bfloat16) else x
            x_s, x_d = self.split(wide)
        return x_s.to(x.dtype), x_d.to(x.dtype)

    @abstractmethod
    def split(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Split ``(N, C, T, H, W)``, T even, into ``(N, C, T/2, H, W)`` each."""

    def _even(self, x: Tensor) -> Tensor:
        wanted = {self.num_frames, self.even_frames}
        if x.dim() != 5 or x.shape[1] != self.in_channels or x.shape[2] not in wanted:
            raise ValueError(
                f'{type(self).__name__}(in_channels={self.in_channels}, '
                f'num_frames={self.num_frames}) got {tuple(x.shape)}, not '
                f'(N, {self.in_channels}, {self.num_frames}, H, W): set in_channels '
                'and num_frames of the neck to what the backbone returns.'
            )
        return pad_to_even(x)
