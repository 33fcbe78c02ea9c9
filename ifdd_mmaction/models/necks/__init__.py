from .feature_pyramid import to_pyramid
from .ifdd_neck import IFDDNeck
from .issm import ISSM
from .ladm import LADM
from .pyramid_aggregation import PyramidAggregation

__all__ = ['ISSM', 'LADM', 'IFDDNeck', 'PyramidAggregation', 'to_pyramid']
