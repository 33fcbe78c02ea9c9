"""Check a dataset on disk, and make other forms of it: ``tools/data/prepare.py``."""

from ...deprecations import module_getattr
from .check import ClipCheck, check_all, check_clip
from .convert import extract_all, pack_clips
from .report import make_report, summarize, write_report
from .splits import (
    PROTOCOLS,
    EvaluationProtocol,
    Lists,
    make_dataset,
    read_lists,
    split_train,
    write_val_split,
)

__all__ = [
    'PROTOCOLS',
    'ClipCheck',
    'EvaluationProtocol',
    'Lists',
    'check_all',
    'check_clip',
    'extract_all',
    'make_dataset',
    'make_report',
    'pack_clips',
    'read_lists',
    'split_train',
    'summarize',
    'write_report',
    'write_val_split',
]

__getattr__ = module_getattr(__name__)
