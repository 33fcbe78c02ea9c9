"""How a clip is split in time, one file per way; :class:`ISSM` chooses by ``mode``."""

from .interval import IntervalSplit
from .temporal_split import SplitIndexes, TemporalSplit, frame_tokens, pad_to_even
from .topk import TopKSplit
from .weighting import WeightingSplit

__all__ = [
    'IntervalSplit',
    'SplitIndexes',
    'TemporalSplit',
    'TopKSplit',
    'WeightingSplit',
    'frame_tokens',
    'pad_to_even',
]
