"""Check a dataset on disk, and make other forms of it: ``tools/data/prepare.py``."""

from .check import ClipCheck, check_all, check_clip
from .convert import extract_all, pack_clips
from .report import make_report, summarise, write_report
from .splits import (
    PROTOCOLS,
    Lists,
    Protocol,
    make_dataset,
    read_lists,
    split_train,
    write_val_split,
)

__all__ = [
    'PROTOCOLS',
    'ClipCheck',
    'Lists',
    'Protocol',
    'check_all',
    'check_clip',
    'extract_all',
    'make_dataset',
    'make_report',
    'pack_clips',
    'read_lists',
    'split_train',
    'summarise',
    'write_report',
    'write_val_split',
]
