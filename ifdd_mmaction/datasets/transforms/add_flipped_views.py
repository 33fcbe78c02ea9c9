"""Flip test-time augmentation."""

from __future__ import annotations

import numpy as np
from mmaction.registry import TRANSFORMS
from mmcv.transforms import BaseTransform


@TRANSFORMS.register_module()
class AddFlippedViews(BaseTransform):
    """Append the mirror image of every clip, for testing.

    The mirror images are views like the crops of MMAction2's ``ThreeCrop``: after
    ``FormatShape`` the sample is ``(2 * num_clips, 3, T, H, W)``, and the head averages
    the scores of the views (its ``average_clips``).

    Required keys: ``imgs``. Changed keys: ``imgs`` (one array (2T, H, W, 3) uint8).

    Example:
        >>> from ifdd_mmaction.datasets.transforms import AddFlippedViews
        >>> clip = np.arange(3, dtype=np.uint8).reshape(1, 1, 3, 1)  # one row of pixels
        >>> views = AddFlippedViews()(dict(imgs=list(clip)))['imgs']
        >>> views[..., 0].tolist()
        [[[0, 1, 2]], [[2, 1, 0]]]
    """

    def transform(self, results: dict) -> dict:
        """Append the flipped frames."""
        clip = np.asarray(results['imgs'])  # (T, H, W, 3)
        results['imgs'] = np.concatenate([clip, clip[:, :, ::-1]])
        return results
