"""Measurements of how well dynamics and context are separated.

This package is not imported by ``import ifdd_mmaction``: training does not need it.
The linear probes need scikit-learn: ``pip install "ifdd-mmaction[analysis]"``.
"""

from ..datasets.intensity import TimedClip, read_timed_clips
from .disentangle import clip_positions, disentangle
from .emotion_timing import (
    CURVES,
    Estimate,
    GroupTiming,
    cluster_bootstrap,
    emotion_curves,
    group_timing,
    mean_at,
)
from .grad_cam import GradCAM, grad_cam
from .linear_probe import (
    ProbeError,
    class_hits,
    identity_chance,
    identity_hits,
    largest_share,
)

__all__ = [
    'CURVES',
    'Estimate',
    'GradCAM',
    'GroupTiming',
    'ProbeError',
    'TimedClip',
    'class_hits',
    'clip_positions',
    'cluster_bootstrap',
    'disentangle',
    'emotion_curves',
    'grad_cam',
    'group_timing',
    'identity_chance',
    'identity_hits',
    'largest_share',
    'mean_at',
    'read_timed_clips',
]
