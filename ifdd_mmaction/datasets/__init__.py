"""DFER datasets and their transforms, registered in ``mmaction.registry``."""

from . import samplers, storage, transforms
from .annotation_file_dataset import AnnotationFileDataset
from .checks import check_datasets
from .class_counts import class_counts, clip_labels
from .dfer_dataset import Clip, DFERDataset
from .dfew import DFEWDataset
from .errors import DatasetError
from .ferv39k import FERV39kDataset
from .folds import set_fold
from .intensity import read_intensity
from .mafw import MAFWDataset
from .roots import set_data_root

__all__ = [
    'AnnotationFileDataset',
    'Clip',
    'DFERDataset',
    'DFEWDataset',
    'DatasetError',
    'FERV39kDataset',
    'MAFWDataset',
    'check_datasets',
    'class_counts',
    'clip_labels',
    'read_intensity',
    'samplers',
    'set_data_root',
    'set_fold',
    'storage',
    'transforms',
]
