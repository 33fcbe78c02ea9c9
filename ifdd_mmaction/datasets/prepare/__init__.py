"""Check a dataset on disk, and make other forms of it: ``tools/data/prepare.py``."""

from .check_all import check_all
from .clip_check import ClipCheck, check_clip
from .extract import extract_all
from .pack import pack_clips
from .protocols import PROTOCOLS, Lists, Protocol, make_dataset, read_lists
from .report import make_report, summarise, write_report
from .val_split import split_train, write_val_split

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
