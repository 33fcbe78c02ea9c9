"""Find faces in frames, follow them, and cut them out as the datasets do.

This package is not imported by ``import ifdd_mmaction``: training does not need it.
"""

from .build import DETECTORS, build_detector
from .centerface import CenterFaceDetector
from .crop import CROPS, align_face, crop_face, crop_square
from .detection import Face, FaceDetector
from .track import Track, fill_gaps, smooth_track
from .tracker import FaceTracker
from .whole_frame import WholeFrame
from .yunet import YuNetDetector

__all__ = [
    'CROPS',
    'DETECTORS',
    'CenterFaceDetector',
    'Face',
    'FaceDetector',
    'FaceTracker',
    'Track',
    'WholeFrame',
    'YuNetDetector',
    'align_face',
    'build_detector',
    'crop_face',
    'crop_square',
    'fill_gaps',
    'smooth_track',
]
