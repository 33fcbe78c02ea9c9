"""The neck of IFDD and its parts: aggregation, splits, lifting steps."""

from .conv_ladm import ConvLADM
from .feature_pyramid import to_pyramid
from .ifdd_neck import Disentanglement, IFDDNeck
from .issm import ISSM, sample_frames
from .ladm import LADM
from .lifting import Lifting, NoLifting
from .pyramid_aggregation import PyramidAggregation
from .splits import (
    IntervalSplit,
    SplitIndexes,
    TemporalSplit,
    TopKSplit,
    WeightingSplit,
)

__all__ = [
    'ISSM',
    'LADM',
    'ConvLADM',
    'Disentanglement',
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
