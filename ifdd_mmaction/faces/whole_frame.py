"""No detection, for clips that are cut to the face already."""

from __future__ import annotations

import numpy as np

from .detection import Face


class WholeFrame:
    """Takes every frame for one face, as it is in the datasets' crops."""

    name = 'none'

    def __call__(self, frame: np.ndarray) -> list[Face]:
        """Return one face, the frame; see :class:`FaceDetector`."""
        height, width = frame.shape[:2]
        return [Face(np.array([0.0, 0.0, width, height]), None, 1.0)]
