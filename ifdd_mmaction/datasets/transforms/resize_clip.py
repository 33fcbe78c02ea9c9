"""Resize the frames of a clip."""

from __future__ import annotations

import numpy as np
from mmaction.registry import TRANSFORMS
from mmcv.transforms import BaseTransform

from ..images import INTERPOLATIONS, resize_frames


@TRANSFORMS.register_module()
class ResizeClip(BaseTransform):
    """Resize all frames of a clip to one size, as the authors do in testing.

    MMAction2's ``Resize`` has no antialiasing. Frames of that size are unchanged.

    Required keys: ``imgs`` (images (H, W, 3) uint8 of one size). Changed keys:
    ``imgs`` (one array (T, H, W, 3) uint8), ``img_shape``.

    Args:
        size: Edge of the square, or height and width, in pixels.
        interpolation: ``'bicubic'`` (the authors') or ``'bilinear'``.

    Raises:
        ValueError: If the interpolation is neither.

    Example:
        >>> from ifdd_mmaction.datasets.transforms import ResizeClip
        >>> clip = dict(imgs=list(np.zeros((8, 48, 64, 3), np.uint8)))
        >>> ResizeClip(size=32)(clip)['imgs'].shape
        (8, 32, 32, 3)
    """

    def __init__(
        self, size: int | tuple[int, int], interpolation: str = 'bicubic'
    ) -> None:
        height, width = (size, size) if isinstance(size, int) else size
        self.size = (height, width)
        if interpolation not in INTERPOLATIONS:
            raise ValueError(
                f'{type(self).__name__}: interpolation={interpolation!r}: must be '
                f'one of {", ".join(INTERPOLATIONS)}'
            )
        self.interpolation = interpolation

    def transform(self, results: dict) -> dict:
        """Resize whole frames."""
        return self.resize(results, results['imgs'])

    def resize(self, results: dict, frames: list[np.ndarray] | np.ndarray) -> dict:
        """Store the resized frames, ``(T, H, W, 3)``, in the results."""
        results['imgs'] = resize_frames(frames, self.size, self.interpolation)
        results['img_shape'] = self.size
        return results
