"""Decode the sampled frames of a clip from wherever it is stored."""

from __future__ import annotations

import numpy as np
from mmaction.registry import TRANSFORMS
from mmcv.transforms import BaseTransform

from ..errors import DatasetError


@TRANSFORMS.register_module()
class LoadFrames(BaseTransform):
    """Load the frames ``frame_inds`` of a :class:`DFERDataset` clip.

    MMAction2's ``RawFrameDecode`` wants consecutive numbers under one file name
    template and hands broken images on; this one takes the listed files and names a
    bad one.

    Required keys: ``source`` (a :class:`ClipSource`), ``frame_inds``, which begin at
    ``start_index`` (0 without it). Added keys:
    ``imgs`` (list of (H, W, 3) uint8 RGB), ``original_shape``, ``img_shape``.

    Example:
        >>> from pathlib import Path
        >>> from ifdd_mmaction.datasets.storage import open_source
        >>> from ifdd_mmaction.datasets.transforms import LoadFrames
        >>> clip = dict(source=open_source(Path('frames/anna')), frame_inds=[0, 2, 4])
        >>> results = LoadFrames()(clip)
        >>> len(results['imgs']), results['imgs'][0].shape
        (3, (32, 32, 3))
    """

    def transform(self, results: dict) -> dict:
        """Decode the frames in the order of ``frame_inds``.

        Raises:
            DatasetError: If the frames of a clip differ in size, or one cannot be read.
        """
        source = results['source']
        # A source counts from 0, whatever the number of its first frame is.
        inds = np.asarray(results['frame_inds']) - results.get('start_index', 0)
        imgs = source.read(inds.reshape(-1).tolist())
        shapes = {image.shape for image in imgs}
        if len(shapes) > 1:
            raise DatasetError(
                f'{source.name}: frames of different sizes {sorted(shapes)}: cut or '
                'resize them to one'
            )
        results['imgs'] = imgs
        results['original_shape'] = results['img_shape'] = imgs[0].shape[:2]
        return results
