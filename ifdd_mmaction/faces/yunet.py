"""YuNet, from a model file of the user's."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from ..errors import InputError
from .detection import Face


class YuNetDetector:
    """YuNet (Wu et al. 2023) through ``cv2.FaceDetectorYN``.

    OpenCV's model zoo has the file, ``face_detection_yunet_*.onnx``; no package brings
    it along.

    Args:
        path: The ONNX file.
        size: Long side of the image that is searched, in pixels.
        threshold: Score from which on something is a face.

    Raises:
        InputError: If the file is none of YuNet.
    """

    name = 'yunet'

    def __init__(
        self, path: str | Path, size: int = 320, threshold: float = 0.6
    ) -> None:
        if not Path(path).is_file():
            raise InputError(f'no YuNet model {path}')
        self.size = size
        try:
            self._network = cv2.FaceDetectorYN.create(
                str(path), '', (size, size), score_threshold=threshold
            )
            self(np.zeros((size, size, 3), np.uint8))
        except cv2.error as error:
            raise InputError(f'{path} is no YuNet model that OpenCV runs') from error

    def __call__(self, frame: np.ndarray) -> list[Face]:
        """Find faces; see :class:`FaceDetector`."""
        height, width = frame.shape[:2]
        scale = self.size / max(height, width)
        small = cv2.resize(
            frame,
            (max(1, round(scale * width)), max(1, round(scale * height))),
            interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR,
        )
        self._network.setInputSize((small.shape[1], small.shape[0]))
        _, rows = self._network.detect(cv2.cvtColor(small, cv2.COLOR_RGB2BGR))
        faces = []
        for row in [] if rows is None else rows.astype(float):
            x, y, w, h = row[:4] / scale
            points = row[4:14].reshape(5, 2) / scale
            faces.append(Face(np.array([x, y, x + w, y + h]), points, float(row[14])))
        return faces
