"""The base of the temporal splits: checks, padding to an even length, precision."""

from __future__ import annotations

import logging
from abc import abstractmethod
from collections.abc import Callable
from typing import NamedTuple, TypeVar

import torch
from mmengine.logging import print_log
from mmengine.model import BaseModule
from torch import Tensor

from ..layers.pooling import adaptive_mean

Result = TypeVar('Result')


def pad_to_even(x: Tensor) -> Tensor:
    """Repeat the last frame of ``(N, C, T, ...)`` when T is odd, T = 1 included.

    Both groups of a split have the same number of frames: the predictor subtracts
    them frame by frame. This is the rule for odd clips everywhere in this package.
    """
    return torch.cat([x, x[:, :, -1:]], dim=2) if x.shape[2] % 2 else x


def interval_frames(num_frames: int) -> tuple[Tensor, Tensor]:
    """Return the frames of T that an even and odd split reads, ``(ceil(T/2),)`` each.

    Example:
        >>> from ifdd_mmaction.models.necks.temporal_split import interval_frames
        >>> interval_frames(5)
        (tensor([0, 2, 4]), tensor([1, 3, 4]))
    """
    frames = torch.arange(num_frames + num_frames % 2).clamp(max=num_frames - 1)
    return frames[0::2], frames[1::2]


def frame_tokens(x: Tensor, size: int) -> Tensor:
    """Pool and flatten the frames of ``(N, C, T, H, W)`` to ``(N, T, size^2 C)``."""
    frames = x.transpose(1, 2).flatten(0, 1)  # (N * T, C, H, W)
    pooled = adaptive_mean(frames, (size, size))
    return pooled.flatten(2).transpose(1, 2).reshape(x.shape[0], x.shape[2], -1)


def rank_halves(scores: Tensor) -> tuple[Tensor, Tensor]:
    """Return the half of T even frames with the higher scores, and the other one.

    Args:
        scores: ``(N, T)``; frames of equal score are ranked in temporal order.

    Returns:
        Frames ``(N, T/2)`` of each half, in temporal order.
    """
    # Counted rather than sorted: ONNX has no stable sort.
    frames = torch.arange(scores.shape[1], device=scores.device)
    row, column = scores[:, :, None], scores[:, None, :]
    before = (column > row) | ((column == row) & (frames < frames[:, None]))
    is_lower = before.sum(dim=2) >= len(frames) // 2
    higher, lower = (frames + is_lower * len(frames)).argsort(dim=1).chunk(2, dim=1)
    return higher, lower


def take_frames(x: Tensor, frames: Tensor) -> Tensor:
    """Return the frames ``(N, n)`` of ``(N, C, T, H, W)``."""
    index = frames[:, None, :, None, None].expand(-1, x.shape[1], -1, *x.shape[3:])
    return x.gather(2, index)


class SplitIndexes(NamedTuple):
    """Where a clip is split; T is the even length, after padding.

    Attributes:
        static: Indexes of the context group X_S, ``(N, T/2)``, before
            they are clipped to the clip; :meth:`TemporalSplit.frames_read` returns the
            frames they read.
        dynamic: The same of the dynamics group X_D.
        correlation: Of the frames, ``(N, T, T)``; None where the split does not use it.
    """

    static: Tensor
    dynamic: Tensor
    correlation: Tensor | None = None


class TemporalSplit(BaseModule):
    """Base of the splits of a clip ``(N, C, T, H, W)`` into X_S and X_D.

    A subclass implements :meth:`split` for an even T, and :meth:`locate` unless its
    groups are the even and the odd frames. The groups have ``ceil(T/2)``
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
        if num_frames == 1:
            print_log(
                f'{type(self).__name__}(num_frames=1): the backbone leaves one frame, '
                'so that context and dynamics are the same frame. Lower its temporal '
                'strides, or give longer clips',
                logger='current',
                level=logging.WARNING,
            )
        self.in_channels = in_channels
        self.num_frames = num_frames
        self.even_frames = num_frames + num_frames % 2

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Split ``(N, C, T, H, W)`` into X_S, X_D: ``(N, C, ceil(T/2), H, W)`` each."""
        x_s, x_d = self._in_float32(self.split, x)
        return x_s.to(x.dtype), x_d.to(x.dtype)

    def split_indexes(self, x: Tensor) -> SplitIndexes:
        """Return which indexes of ``(N, C, T, H, W)`` each group takes."""
        return self._in_float32(self.locate, x)

    def frames_read(self, index: Tensor) -> Tensor:
        """Return the frames, real from 0 to T - 1, that indexes ``(N, n)`` read."""
        return index.float().clamp(0, self.num_frames - 1)

    @abstractmethod
    def split(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Split ``(N, C, T, H, W)``, T even, into ``(N, C, T/2, H, W)`` each."""

    def locate(self, x: Tensor) -> SplitIndexes:
        """Return which indexes of ``(N, C, T, H, W)``, T even, each group takes."""
        regular = torch.arange(x.shape[2], device=x.device, dtype=torch.float32)
        regular = regular.expand(len(x), -1)
        return SplitIndexes(regular[:, 0::2], regular[:, 1::2])

    def _in_float32(self, function: Callable[[Tensor], Result], x: Tensor) -> Result:
        # Half precision cannot represent positions exactly, and swaps frames of similar
        # scores.
        x = self._even(x)
        with torch.autocast(x.device.type, enabled=False):
            return function(x.float() if x.dtype in (torch.half, torch.bfloat16) else x)

    def _even(self, x: Tensor) -> Tensor:
        # A tuple: while a model is traced sizes are tensors, which a set never holds.
        wanted = (self.num_frames, self.even_frames)
        if x.dim() != 5 or x.shape[1] != self.in_channels or x.shape[2] not in wanted:
            raise ValueError(
                f'{type(self).__name__}(in_channels={self.in_channels}, '
                f'num_frames={self.num_frames}) got {tuple(x.shape)}, not '
                f'(N, {self.in_channels}, {self.num_frames}, H, W): set in_channels '
                'and num_frames of the neck to what the backbone returns.'
            )
        return pad_to_even(x)
