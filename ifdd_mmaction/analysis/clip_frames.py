"""The frames of a clip after the pipeline, whatever recognizer it is for."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

from ..datasets.frame_corruptions import CORRUPTIONS
from ..errors import InputError
from .frame_orders import clip_generator


def num_segments(model: Any) -> int | None:
    """Return the frames of a clip that a 2-D recognizer tells, None if it does not.

    Example:
        >>> from ifdd_mmaction.analysis import num_segments
        >>> from ifdd_mmaction.apis import get_model
        >>> num_segments(get_model('ifdd_vit_sample'))
    """
    for part in ('backbone', 'neck', 'cls_head'):
        found = getattr(getattr(model, part, None), 'num_segments', None)
        if found:
            return int(found)
    return None


def to_frames(inputs: Tensor, segments: int | None = None) -> Tensor:
    """Return the views and frames of a clip as the pipeline packs it.

    Args:
        inputs: ``(M, C, T, H, W)`` for a ``Recognizer3D``, M the views; ``(M * T, C, H,
            W)`` for a ``Recognizer2D``, all frames of one view after the other.
        segments: T in the second case; without it, there is one view.

    Returns:
        ``(M, T, C, H, W)``, which shares its memory with the inputs.

    Raises:
        InputError: If the inputs have another shape, or one frame a view.

    Example:
        >>> from ifdd_mmaction.analysis import to_frames
        >>> to_frames(torch.zeros(2, 3, 16, 64, 64)).shape
        torch.Size([2, 16, 3, 64, 64])
        >>> to_frames(torch.zeros(24, 3, 64, 64), segments=8).shape
        torch.Size([3, 8, 3, 64, 64])
    """
    shape = tuple(getattr(inputs, 'shape', ()))
    if len(shape) == 5:
        frames = inputs.transpose(1, 2)
    elif len(shape) == 4 and shape[0] % (segments or shape[0]) == 0:
        frames = inputs.reshape(-1, segments or shape[0], *shape[1:])
    else:
        raise InputError(
            f'the test pipeline packs {type(inputs).__name__} {shape} with '
            f'num_segments={segments}: this works with clips (M, C, T, H, W) of a '
            'Recognizer3D and frames (M * num_segments, C, H, W) of a Recognizer2D'
        )
    if frames.shape[1] == 1:
        raise InputError(
            f'the recognizer gets one frame of each view, inputs {shape}: there is no '
            'order to change. Sample several frames in the test pipeline'
        )
    return frames


def from_frames(frames: Tensor, dims: int) -> Tensor:
    """Undo :func:`to_frames`.

    Args:
        frames: ``(M, T, C, H, W)``.
        dims: Dimensions of the packed clip, 5 or 4.

    Returns:
        ``(M, C, T, H, W)`` or ``(M * T, C, H, W)``.

    Example:
        >>> from ifdd_mmaction.analysis import from_frames, to_frames
        >>> clip = torch.rand(2, 3, 16, 8, 8)
        >>> torch.equal(from_frames(to_frames(clip), clip.dim()), clip)
        True
    """
    moved = frames.transpose(1, 2) if dims == 5 else frames.flatten(0, 1)
    return moved.contiguous()


def replacement_order(num_frames: int, seed: int, clip: str) -> np.ndarray:
    """Return the frames ``(T,)`` of a clip in the order in which they are replaced.

    Where k frames are replaced, they are the first k: the same for every kind and
    model, and those of a smaller number among those of a larger one.

    Example:
        >>> from ifdd_mmaction.analysis import replacement_order
        >>> sorted(replacement_order(4, seed=0, clip='anna').tolist())
        [0, 1, 2, 3]
    """
    return clip_generator(seed, clip, 1).permutation(num_frames)


def corrupt_clip(frames: Tensor, kind: str, seed: int, clip: str) -> Tensor:
    """Return a clip all of whose frames are corrupted.

    Args:
        frames: ``(M, T, 3, H, W)`` uint8; views with the same random numbers.
        kind: One of :data:`~ifdd_mmaction.datasets.frame_corruptions.CORRUPTIONS`.
        seed: Of the report.
        clip: Name of the clip.

    Returns:
        The same shape.

    Raises:
        InputError: If the frames are not uint8, of three channels.

    Example:
        >>> from ifdd_mmaction.analysis import corrupt_clip
        >>> clip = torch.full((1, 4, 3, 8, 8), 99, dtype=torch.uint8)
        >>> corrupt_clip(clip, 'black', seed=0, clip='anna').max()
        tensor(0, dtype=torch.uint8)
    """
    if frames.dtype != torch.uint8 or frames.shape[2] != 3:
        raise InputError(
            f'the test pipeline packs {frames.dtype} of {frames.shape[2]} channels, '
            'corruptions need RGB in uint8: leave normalization to the '
            'data_preprocessor, or give no --corruptions'
        )
    function, number = CORRUPTIONS[kind], list(CORRUPTIONS).index(kind)
    images = frames.permute(0, 1, 3, 4, 2).contiguous().numpy()
    corrupted = [
        function(image, clip_generator(seed, clip, 2, number, t))
        for view in images
        for t, image in enumerate(view)
    ]
    found = torch.from_numpy(np.stack(corrupted).reshape(images.shape))
    return found.permute(0, 1, 4, 2, 3)
