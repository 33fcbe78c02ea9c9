"""DFER datasets and their transforms, registered in ``mmaction.registry``."""

from . import transforms
from .check import check_datasets
from .dfer_dataset import Clip, DatasetError, DFERDataset
from .dfew import DFEWDataset

__all__ = [
    'Clip',
    'DFERDataset',
    'DFEWDataset',
    'DatasetError',
    'check_datasets',
    'transforms',
]
