"""Decode the sampled frames of a clip from its folder."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
from mmaction.registry import TRANSFORMS
from mmcv.transforms import BaseTransform

from ..dfer_dataset import DatasetError

JPEG_START, JPEG_SCAN, JPEG_END = b'\xff\xd8', b'\xff\xda', b'\xff\xd9'


def read_image(path: Path) -> np.ndarray:
    """Decode an image file to RGB, ``(H, W, 3)`` uint8.

    Raises:
        DatasetError: If the file is absent, no image, or a JPEG cut off before its
            end, which OpenCV would fill with grey without a word.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise DatasetError(f'{path}: {error.strerror}') from error
    # The end marker cannot occur inside image data, only in an embedded thumbnail,
    # which comes before the (last) scan.
    if data.startswith(JPEG_START) and data.rfind(JPEG_END) <= data.rfind(JPEG_SCAN):
        raise DatasetError(f'{path}: truncated JPEG, {len(data)} bytes without end')
    pixels = np.frombuffer(data, np.uint8)
    image = cv2.imdecode(pixels, cv2.IMREAD_COLOR) if data else None
    if image is None:
        raise DatasetError(f'{path}: not an image ({len(data)} bytes)')
    return cv2.cvtColor(image, cv2.COLOR_BGR2RGB)


@TRANSFORMS.register_module()
class LoadFrames(BaseTransform):
    """Load the frames ``frame_inds`` of a :class:`DFERDataset` clip.

    MMAction2's ``RawFrameDecode`` wants consecutive numbers under one file name
    template and hands broken images on; this one takes the listed files and names a
    bad one.

    Required keys: ``frame_dir``, ``frames``, ``frame_inds``. Added keys: ``imgs`` (list
    of (H, W, 3) uint8 RGB), ``original_shape``, ``img_shape``.
    """

    def transform(self, results: dict) -> dict:
        """Decode each frame that is used once, in the order of ``frame_inds``."""
        folder, frames = Path(results['frame_dir']), results['frames']
        indexes = [int(i) for i in np.asarray(results['frame_inds']).reshape(-1)]
        images: dict[int, np.ndarray] = {}
        imgs = []
        for i in indexes:
            # A copy where a frame repeats: later transforms may write into it.
            image = images[i].copy() if i in images else read_image(folder / frames[i])
            images.setdefault(i, image)
            imgs.append(image)
        shapes = {image.shape for image in imgs}
        if len(shapes) > 1:
            raise DatasetError(f'{folder}: frames of different sizes {sorted(shapes)}')
        results['imgs'] = imgs
        results['original_shape'] = results['img_shape'] = imgs[0].shape[:2]
        return results
