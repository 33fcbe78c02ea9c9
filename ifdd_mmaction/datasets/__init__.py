"""DFER datasets and their transforms, registered in ``mmaction.registry``."""

from . import storage, transforms
from .annotation_file_dataset import AnnotationFileDataset
from .check import check_datasets
from .dfer_dataset import Clip, DFERDataset
from .dfew import DFEWDataset
from .errors import DatasetError
from .ferv39k import FERV39kDataset
from .mafw import MAFWDataset

__all__ = [
    'AnnotationFileDataset',
    'Clip',
    'DFERDataset',
    'DFEWDataset',
    'DatasetError',
    'FERV39kDataset',
    'MAFWDataset',
    'check_datasets',
    'storage',
    'transforms',
]
