"""Convert what backbones return to a feature pyramid."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from torch import Tensor

from ...errors import InputError


def describe(features: Any) -> str:
    """Describe in one line what a backbone returned, with shapes."""
    if isinstance(features, Tensor):
        return f'Tensor{tuple(features.shape)}'
    if isinstance(features, Sequence) and not isinstance(features, str):
        inner = ', '.join(describe(item) for item in features)
        return f'{type(features).__name__}[{inner}]'
    return type(features).__name__


def to_pyramid(
    features: Tensor | Sequence[Any], num_segments: int | None = None
) -> list[Tensor]:
    """Return a backbone's output as a list of maps ``(N, C_i, T_i, H_i, W_i)``.

    The level with the most cells comes first: SlowFast returns its slow pathway first,
    and as in every pyramid the level with the fewest frames has to be the last.
    Class tokens beside a map (MViT) are left out.

    Args:
        features: A map, or a sequence of maps or of ``[map, class token]``.
        num_segments: Frames of a clip under ``Recognizer2D``, which in testing puts all
            clips and crops of a video on the time axis: k of them, ``(N, C, k S, H,
            W)``, are unfolded to ``(N k, C, S, H, W)``.

    Raises:
        InputError: If it holds anything but maps of five dimensions, or T is not
            a multiple of ``num_segments``; the message names the argument to set.

    Example:
        >>> from ifdd_mmaction.models.necks import to_pyramid
        >>> slow, fast = torch.rand(1, 32, 4, 7, 7), torch.rand(1, 4, 16, 7, 7)
        >>> [tuple(level.shape) for level in to_pyramid((slow, fast))]
        [(1, 4, 16, 7, 7), (1, 32, 4, 7, 7)]
    """
    levels = list(features) if isinstance(features, Sequence) else [features]
    levels = [_without_class_token(level) for level in levels]
    if levels and all(_dims(level) == 4 for level in levels):
        raise InputError(
            f'the neck got {describe(levels)}, maps of four dimensions: Recognizer2D '
            'takes the single map of a 2-D backbone for a list of maps. Set '
            'out_indices of the backbone to at least two stages, such as (2, 3).'
        )
    if not levels or any(_dims(level) != 5 for level in levels):
        raise InputError(
            f'the backbone returned {describe(features)}, but a feature pyramid is one '
            'or several maps (N, C, T, H, W). Switch off its pooling or classifier: '
            'VisionTransformer: return_feat_map=True, use_mean_pooling=False; '
            'TimeSformer, UniFormerV2, C3D: use TimeSformerMap, UniFormerV2Map, '
            'C3DPyramid; images: TimmPyramid, or out_indices with two stages.'
        )
    if num_segments is not None:
        levels = [_unfold(level, num_segments) for level in levels]
    # torch.compile of PyTorch 2.4 sorts numbers, not maps.
    sizes = [level.shape[2:].numel() for level in levels]
    order = sorted(range(len(levels)), key=lambda i: -sizes[i])
    return [levels[i] for i in order]


def _dims(level: Any) -> int:
    return level.dim() if isinstance(level, Tensor) else 0


def _without_class_token(level: Any) -> Any:
    pair = isinstance(level, (list, tuple)) and [_dims(x) for x in level] == [5, 2]
    return level[0] if pair else level


def _unfold(level: Tensor, num_segments: int) -> Tensor:
    if level.shape[2] % num_segments:
        raise InputError(
            f'IFDDNeck(num_segments={num_segments}) got {describe(level)}, of which T '
            'is not a multiple: set num_segments of the neck and of the backbone to '
            'the frames that the pipeline samples for a clip (num_clips * clip_len).'
        )
    clips = level.unflatten(2, (-1, num_segments))  # (N, C, k, S, H, W)
    return clips.transpose(1, 2).flatten(0, 1)
