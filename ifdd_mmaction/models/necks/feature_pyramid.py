"""The one place that knows what backbones return."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor


def describe(features: Any) -> str:
    """Say in one line what a backbone returned, shapes included."""
    if isinstance(features, Tensor):
        return f'Tensor{tuple(features.shape)}'
    if isinstance(features, Sequence) and not isinstance(features, str):
        inner = ', '.join(describe(item) for item in features)
        return f'{type(features).__name__}[{inner}]'
    return type(features).__name__


def to_pyramid(features: Tensor | Sequence[Tensor]) -> list[Tensor]:
    """Return a backbone's output as a list of maps ``(N, C_i, T_i, H_i, W_i)``.

    Args:
        features: A map, or a sequence of maps, finest first.

    Raises:
        ValueError: If it holds anything but maps of five dimensions; the message
            names the backbone argument to set.
    """
    if isinstance(features, Tensor):
        features = [features]
    levels = list(features)
    if any(isinstance(level, (list, tuple)) for level in levels):
        raise ValueError(
            f'the backbone returned {describe(features)}: a level is a list. For MViT '
            'set output_cls_token=False (or use PyramidMViT), so that each level is '
            'one map; SlowFast returns two pathways, which are no pyramid.'
        )
    if not levels or any(
        not isinstance(level, torch.Tensor) or level.dim() != 5 for level in levels
    ):
        raise ValueError(
            f'the backbone returned {describe(features)}, but a feature pyramid is one '
            'or several maps (N, C, T, H, W). Switch off its pooling or classifier '
            '(VisionTransformer: return_feat_map=True; 2-D backbones under '
            'Recognizer2D: out_indices with at least two stages).'
        )
    return levels
