"""The split by evidence: frames that show an expression, and the others."""

from __future__ import annotations

import logging

import torch
import torch.nn.functional as F
from mmaction.registry import MODELS
from mmengine.logging import print_log
from torch import Tensor

from .temporal_split import SplitIndexes, TemporalSplit, rank_halves, take_frames


@MODELS.register_module()
class EvidenceSplit(TemporalSplit):
    """The T/2 frames that a classifier finds least neutral are the dynamics group.

    ::

        p_t = softmax(W mean_hw(x_t) + b)[neutral]
        s   = mean of 1 - p over ``window`` frames

    Each group stays in temporal order; there is no gradient through the choice. For
    models that are trained static first (our design, docs/content.md): W and b are
    those of the head that has learned single frames, and are not trained here. The
    features must stay those that it knows, so that backbone and aggregation are not
    trained either. Of frames whose scores differ by less than 1e-6 the odd ones are
    dynamics: without weights it is :class:`IntervalSplit`, and so it is among frames of
    which the classifier is sure.

    Args:
        in_channels: Channels C of the input.
        num_frames: Temporal length T of the input.
        num_classes: Number of classes K of the classifier; DFEW's by default.
        neutral: Number of the class without an expression; DFEW's by default.
            ``tools/static_first.py`` takes both from the training set.
        window: Odd number of frames over which scores are averaged: blinks and speech
            are briefer than expressions.
        init_cfg: Initial weights, as of any ``mmengine.model.BaseModule``; those of the
            first stage have the prefix ``'cls_head.fc_cls.'``.

    Raises:
        ValueError: If ``neutral`` is no class, ``window`` is not odd, or the input has
            another C or T.

    Example:
        >>> from ifdd_mmaction.models.necks import EvidenceSplit
        >>> split = EvidenceSplit(1, num_frames=4, num_classes=2, neutral=0, window=1)
        >>> split.weight[1] = 1
        >>> x = torch.tensor([1.0, 5.0, 4.0, 0.0]).view(1, 1, 4, 1, 1)
        >>> indexes = split.split_indexes(x)
        >>> indexes.static.tolist(), indexes.dynamic.tolist()
        ([[0, 3]], [[1, 2]])
    """

    def __init__(
        self,
        in_channels: int,
        num_frames: int,
        num_classes: int = 7,
        neutral: int = 2,
        window: int = 3,
        init_cfg: dict | None = None,
    ) -> None:
        super().__init__(in_channels, num_frames, init_cfg=init_cfg)
        if not 0 <= neutral < num_classes:
            raise ValueError(
                f'EvidenceSplit(num_classes={num_classes}, neutral={neutral}): neutral '
                'is the number of a class, from 0'
            )
        if window < 1 or window % 2 == 0:
            raise ValueError(
                f'EvidenceSplit(window={window}): the frames before and after one, and '
                'itself, are an odd number'
            )
        self.neutral = neutral
        self.window = window
        self.weight: Tensor
        self.bias: Tensor
        self.register_buffer('weight', torch.zeros(num_classes, in_channels))
        self.register_buffer('bias', torch.zeros(num_classes))

    def init_weights(self) -> None:
        """Initialize the weights, and say so if there is no classifier.

        Raises:
            ValueError: If ``init_cfg`` leads to no classifier of this shape.
        """
        super().init_weights()
        if self.weight.any():
            return
        if self.init_cfg:
            classes, channels = self.weight.shape
            raise ValueError(
                f'EvidenceSplit(num_classes={classes}, in_channels={channels}): '
                f'{self.init_cfg} gives it no weights of {classes} x {channels}: set '
                'num_classes, and neutral, to those of the head which has learned '
                "frames, whose prefix is 'cls_head.fc_cls.'"
            )
        print_log(
            'EvidenceSplit has no classifier of frames, and takes the even and odd '
            'frames: train with tools/static_first.py, or give the split init_cfg',
            logger='current',
            level=logging.WARNING,
        )

    def split(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Split ``(N, C, T, H, W)``, T even, into ``(N, C, T/2, H, W)`` each."""
        indexes = self.locate(x)
        return take_frames(x, indexes.static), take_frames(x, indexes.dynamic)

    @torch.no_grad()
    def locate(self, x: Tensor) -> SplitIndexes:
        """Return the frames ``(N, T/2)`` of each group."""
        scores = self.scores(x)
        # Differences this small say nothing, and equal scores are those of no weights.
        scores[:, 1::2] += 1e-6
        dynamic, static = rank_halves(scores)
        return SplitIndexes(static, dynamic)

    def scores(self, x: Tensor) -> Tensor:
        """Return how little neutral each frame is, ``(N, T)`` from 0 to 1."""
        frames = x.mean(dim=(3, 4)).transpose(1, 2)  # (N, T, C)
        weight, bias = self.weight.to(x.dtype), self.bias.to(x.dtype)
        chances = F.linear(frames, weight, bias).softmax(dim=2)
        return F.avg_pool1d(
            1 - chances[:, None, :, self.neutral],
            self.window,
            stride=1,
            padding=self.window // 2,
            count_include_pad=False,
        ).flatten(1)
