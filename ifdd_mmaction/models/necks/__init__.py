from .conv_ladm import ConvLADM
from .feature_pyramid import to_pyramid
from .ifdd_neck import IFDDNeck
from .issm import ISSM
from .ladm import LADM
from .lifting import Lifting, NoLifting
from .pyramid_aggregation import PyramidAggregation
from .splits import IntervalSplit, TemporalSplit, TopKSplit, WeightingSplit

__all__ = [
    'ISSM',
    'LADM',
    'ConvLADM',
    'IFDDNeck',
    'IntervalSplit',
    'Lifting',
    'NoLifting',
    'PyramidAggregation',
    'TemporalSplit',
    'TopKSplit',
    'WeightingSplit',
    'to_pyramid',
]
