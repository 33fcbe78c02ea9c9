"""Detect faces in frames, track them, and crop them as the datasets do.

This package is not imported by ``import ifdd_mmaction``: training does not need it.
"""

from .crop import CROPS, align_face, crop_face, crop_square
from .detectors import (
    DETECTORS,
    CenterFaceDetector,
    Face,
    FaceDetector,
    WholeFrame,
    YuNetDetector,
    build_detector,
)
from .live_tracker import LiveTrack, LiveTracker
from .tracks import FaceTracker, Track, fill_gaps, smooth_track

__all__ = [
    'CROPS',
    'DETECTORS',
    'CenterFaceDetector',
    'Face',
    'FaceDetector',
    'FaceTracker',
    'LiveTrack',
    'LiveTracker',
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
