"""DFER datasets and their transforms, registered in ``mmaction.registry``."""

from . import samplers, storage, transforms
from .check import check_datasets
from .dfer_dataset import Clip, DFERDataset
from .dfew import DFEWDataset
from .errors import DatasetError
from .folds import set_fold
from .labels import class_counts, clip_labels

__all__ = [
    'Clip',
    'DFERDataset',
    'DFEWDataset',
    'DatasetError',
    'check_datasets',
    'class_counts',
    'clip_labels',
    'samplers',
    'set_fold',
    'storage',
    'transforms',
]
