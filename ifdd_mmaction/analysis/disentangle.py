"""The intermediate tensors of the neck of a recognizer."""

from __future__ import annotations

from typing import Any

import numpy as np
from mmaction.models.recognizers import BaseRecognizer
from torch import Tensor

from ..errors import InputError
from ..models.necks import Disentanglement, IFDDNeck


def disentangle(model: BaseRecognizer, inputs: Tensor) -> Disentanglement:
    """Return what the neck of a recognizer computes on the way to its feature.

    The mode of the model is not changed: call ``eval()`` and ``torch.no_grad()`` first.

    Args:
        model: A recognizer with an :class:`IFDDNeck`.
        inputs: Preprocessed clips, as ``model.extract_feat`` takes them:
            ``(N, views, 3, T, H, W)`` for a ``Recognizer3D``.

    Returns:
        Tensors whose first dimension is N * views.

    Raises:
        InputError: If the model has no such neck, or one with neither split nor
            lifting.

    Example:
        >>> from ifdd_mmaction.analysis import disentangle
        >>> from ifdd_mmaction.apis import get_model
        >>> model = get_model('ifdd_vit_sample')
        >>> with torch.no_grad():
        ...     parts = disentangle(model, torch.rand(1, 1, 3, 16, 64, 64))
        >>> parts.x.shape, parts.y_d.shape
        (torch.Size([1, 64, 8, 4, 4]), torch.Size([1, 64, 4, 4, 4]))
        >>> parts.frames_d.shape  # the frames of X that the dynamics group reads
        torch.Size([1, 4])
    """
    neck = getattr(model, 'neck', None)
    if not isinstance(neck, IFDDNeck):
        raise InputError(
            f'{type(model).__name__} has neck {type(neck).__name__}: only an IFDDNeck '
            'separates dynamics from context.'
        )
    features: list[Any] = []
    # 2-D and 3-D recognizers pass different features to the neck: record its input.
    handle = neck.register_forward_pre_hook(lambda _, args: features.append(args[0]))
    try:
        model.extract_feat(inputs)
    finally:
        handle.remove()
    return neck.disentangle(features[0])


def clip_positions(positions: Any, num_frames: int, length: int) -> np.ndarray:
    """Return where positions in the feature lie in the clip.

    Args:
        positions: Real numbers from 0 to T - 1, of any shape.
        num_frames: Frames T of the feature; each covers F / T frames of the clip.
        length: Frames F of the clip.

    Returns:
        Real numbers from 0 to F - 1, of the same shape.

    Example:
        >>> from ifdd_mmaction.analysis import clip_positions
        >>> clip_positions([0, 1, 3], num_frames=4, length=8)
        array([0.5, 2.5, 6.5])
    """
    places = (np.asarray(positions, float) + 0.5) * length / num_frames - 0.5
    return places.clip(0, length - 1)
