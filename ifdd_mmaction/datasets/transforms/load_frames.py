"""Decode the sampled frames of a clip from wherever it is stored."""

from __future__ import annotations

import numpy as np
from mmaction.registry import TRANSFORMS
from mmcv.transforms import BaseTransform

from ..errors import DatasetError
from .find_source import find_source


@TRANSFORMS.register_module()
class LoadFrames(BaseTransform):
    """Load the frames ``frame_inds`` of a clip, of whatever :func:`find_source` finds.

    MMAction2's ``RawFrameDecode`` needs consecutive numbers in one file name template
    and passes broken images on; this transform reads the listed files and names a bad
    one.

    Required keys: ``source`` (a :class:`ClipSource`) or what :func:`find_source` takes
    in its place; ``frame_inds``, which begin at ``start_index`` (0 without it). Added
    keys: ``imgs`` (list of (H, W, 3) uint8 RGB), ``original_shape``, ``img_shape``.

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
            DatasetError: If there is no clip, its frames differ in size, one cannot be
                read, or another reader of the video counted other frames.
        """
        source = find_source(results)
        counted = results.get('total_frames')
        # MMAction2's inferencers open a video with decord, whatever reads it after.
        if 'video_reader' in results and len(source) != counted:
            raise DatasetError(
                f'{source.name}: {len(source)} frames, but the video_reader of the '
                f'pipeline counts {counted}: leave out DecordInit, or call '
                'inference_recognizer in place of an inferencer'
            )
        # A source counts from 0, whatever the number of its first frame is.
        inds = np.asarray(results['frame_inds']) - results.get('start_index', 0)
        imgs = source.read(inds.reshape(-1).tolist())
        shapes = {image.shape for image in imgs}
        if len(shapes) > 1:
            raise DatasetError(
                f'{source.name}: frames of different sizes {sorted(shapes)}: crop or '
                'resize them to one size'
            )
        results['imgs'] = imgs
        results['original_shape'] = results['img_shape'] = imgs[0].shape[:2]
        return results
