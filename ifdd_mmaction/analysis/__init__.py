"""Measurements of trained models: disentanglement, reliance on time, Grad-CAM.

This package is not imported by ``import ifdd_mmaction``: training does not need it.
The linear probes need scikit-learn: ``pip install "ifdd-mmaction[analysis]"``.
"""

from ..datasets.intensity import TimedClip, read_timed_clips
from .attribute_scores import attribute_scores
from .bad_frame_shares import bad_frame_shares
from .clip_frames import (
    corrupt_clip,
    from_frames,
    num_segments,
    replacement_order,
    to_frames,
)
from .clip_groups import ClipGroups, clip_groups
from .clip_variants import KINDS, VariantPlan, clip_variants, other_clip
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
from .frame_orders import ORDERS, clip_generator, frame_orders
from .grad_cam import GradCAM, grad_cam
from .grouped_scores import ScoreEstimates, grouped_scores
from .linear_probe import (
    ProbeError,
    class_hits,
    identity_chance,
    identity_hits,
    largest_share,
)
from .temporal_reliance import compare_scores, temporal_reliance
from .variant_predictions import clip_probabilities
from .variant_runs import VariantScores, clip_name, run_variants

__all__ = [
    'CURVES',
    'KINDS',
    'ORDERS',
    'ClipGroups',
    'Estimate',
    'GradCAM',
    'GroupTiming',
    'ProbeError',
    'ScoreEstimates',
    'TimedClip',
    'VariantPlan',
    'VariantScores',
    'attribute_scores',
    'bad_frame_shares',
    'class_hits',
    'clip_generator',
    'clip_groups',
    'clip_name',
    'clip_positions',
    'clip_probabilities',
    'clip_variants',
    'cluster_bootstrap',
    'compare_scores',
    'corrupt_clip',
    'disentangle',
    'emotion_curves',
    'frame_orders',
    'from_frames',
    'grad_cam',
    'group_timing',
    'grouped_scores',
    'identity_chance',
    'identity_hits',
    'largest_share',
    'mean_at',
    'num_segments',
    'other_clip',
    'read_timed_clips',
    'replacement_order',
    'run_variants',
    'temporal_reliance',
    'to_frames',
]
