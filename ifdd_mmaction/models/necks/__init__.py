"""The neck of IFDD and its parts: aggregation, splits, lifting steps."""

import sys

from ...deprecations import former_module
from .conv_ladm import ConvLADM
from .evidence_split import EvidenceSplit
from .feature_pyramid import to_pyramid
from .ifdd_neck import Disentanglement, IFDDNeck
from .interval_split import IntervalSplit
from .issm import ISSM, sample_frames
from .ladm import LADM
from .lifting import Lifting, NoLifting
from .pyramid_aggregation import PyramidAggregation
from .temporal_split import SplitIndexes, TemporalSplit
from .topk_split import TopKSplit
from .weighting_split import WeightingSplit

__all__ = [
    'ISSM',
    'LADM',
    'ConvLADM',
    'Disentanglement',
    'EvidenceSplit',
    'IFDDNeck',
    'IntervalSplit',
    'Lifting',
    'NoLifting',
    'PyramidAggregation',
    'SplitIndexes',
    'TemporalSplit',
    'TopKSplit',
    'WeightingSplit',
    'sample_frames',
    'to_pyramid',
]

sys.modules[f'{__name__}.splits'] = former_module(f'{__name__}.splits')
