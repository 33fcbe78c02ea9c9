"""A video backbone that sees a few frames at a time."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from mmaction.registry import MODELS
from mmengine.model import BaseModule
from torch import Tensor


@MODELS.register_module()
class Framewise(BaseModule):
    """Run a video backbone on every few frames of a clip by themselves.

    What a backbone has learned from single frames it does to the frames of a clip too
    only if it does not mix them: attention over eight times as many tokens, or a
    temporal padding that is gone, changes its features. Here the neck alone sees time
    (our design, docs/content.md).

    Args:
        backbone: Config of a backbone that returns maps ``(n, C_i, t, H_i, W_i)`` of
            clips ``(n, 3, frames, H, W)``.
        frames: Frames that it sees at a time: as many as the first of two trainings,
            static first, gives it (``copies`` of ``SampleFrame``).
        frozen: Whether it is used as it is, without training: its parameters get no
            gradient, and its modules are always in evaluation mode. The first of two
            trainings, ``configs/_base_/static_first``, takes this away.
        chunk: Parts of clips that are computed at a time, all by default. On a CPU, the
            maps of a few of them stay in its cache, those of a batch of clips do not;
            a GPU is faster with all at once. No layer may depend on the batch, as
            batch norms in training do. Compiled and exported models compute all at
            once: their graph may not depend on the number of clips.
        init_cfg: Initial weights, as of any ``mmengine.model.BaseModule``.

    Returns of ``forward``: a tuple of maps ``(N, C_i, T / frames * t, H_i, W_i)``, as
    many as the backbone returns.

    Raises:
        ValueError: If T is not a multiple of ``frames``, or ``chunk`` is below 1.

    Example:
        >>> from ifdd_mmaction.models.backbones import Framewise
        >>> arch = dict(embed_dims=8, num_layers=2, num_heads=1, downscale_indices=[1])
        >>> mvit = dict(
        ...     type='PyramidMViT', arch=arch, spatial_size=32, out_scales=(0, 1)
        ... )
        >>> maps = Framewise(mvit)(torch.rand(1, 3, 8, 32, 32))
        >>> [tuple(level.shape) for level in maps]
        [(1, 8, 4, 8, 8), (1, 16, 4, 4, 4)]
    """

    def __init__(
        self,
        backbone: Mapping[str, Any],
        frames: int = 2,
        frozen: bool = False,
        chunk: int | None = None,
        init_cfg: dict | None = None,
    ) -> None:
        super().__init__(init_cfg=init_cfg)
        if chunk is not None and chunk < 1:
            raise ValueError(
                f'Framewise(chunk={chunk}): give 1 or more, or None for all'
            )
        self.backbone = MODELS.build(backbone)
        self.frames = frames
        self.chunk = chunk
        self.frozen = frozen
        if frozen:
            self.backbone.requires_grad_(False)
            self.backbone.eval()

    def train(self, mode: bool = True) -> Framewise:
        """Set the mode of training, which a frozen backbone does not follow."""
        super().train(mode)
        if self.frozen:
            self.backbone.eval()
        return self

    def forward(self, x: Tensor) -> tuple[Tensor, ...]:
        """Map clips ``(N, 3, T, H, W)`` to the maps of their frames."""
        n, c, t, h, w = x.shape
        if t % self.frames:
            raise ValueError(
                f'Framewise(frames={self.frames}) got a clip of {t} frames: give a '
                f'multiple of {self.frames}'
            )
        parts = x.reshape(n, c, t // self.frames, self.frames, h, w)
        parts = parts.transpose(1, 2).flatten(0, 1)
        traced = torch.compiler.is_compiling() or torch.jit.is_tracing()
        whole = traced or self.chunk is None
        chunks = [
            self.backbone(chunk)
            for chunk in ([parts] if whole else parts.split(self.chunk))
        ]
        if isinstance(chunks[0], Tensor):
            chunks = [(chunk,) for chunk in chunks]
        maps = [torch.cat(levels) for levels in zip(*chunks, strict=True)]
        return tuple(
            level.unflatten(0, (n, -1)).transpose(1, 2).flatten(2, 3) for level in maps
        )
