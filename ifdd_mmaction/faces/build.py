"""Choose a face detector by its name."""

from __future__ import annotations

from ..errors import InputError
from .centerface import CenterFaceDetector
from .detection import FaceDetector
from .whole_frame import WholeFrame
from .yunet import YuNetDetector

DETECTORS = ('centerface', 'none', 'FILE.onnx')


def build_detector(name: str = 'centerface', size: int = 320) -> FaceDetector:
    """Return a detector.

    Args:
        name: ``'centerface'``; ``'none'`` for clips that are cut to the face already;
            or the path of a YuNet model.
        size: Long side of the image that is searched, in pixels.

    Raises:
        InputError: If there is no such detector, or it cannot be loaded.
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
