"""DFER datasets and their transforms, registered in ``mmaction.registry``."""

from . import storage, transforms
from .check import check_datasets
from .dfer_dataset import Clip, DFERDataset
from .dfew import DFEWDataset
from .errors import DatasetError

__all__ = [
    'Clip',
    'DFERDataset',
    'DFEWDataset',
    'DatasetError',
    'check_datasets',
    'storage',
    'transforms',
]
