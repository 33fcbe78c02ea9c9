"""Shared memory, open files, and the folders of the caches."""

from __future__ import annotations

import os
import resource
import shutil
import tempfile
from pathlib import Path

from .check import OK, WARNING, Check

GIGABYTE = 1 << 30
#: What the workers of configs/_base_/datasets/mafw.py hold: 4 workers, 2 batches of 16
#: clips of 32 frames, 224 x 224 x 3 bytes.
SHARED_MEMORY = 4 * 2 * 16 * 32 * 224 * 224 * 3
OPEN_FILES = 1024


def check_shared_memory() -> Check:
    """Compare the free shared memory with what the workers of the configs hold."""
    name, place = 'shared memory', '/dev/shm'
    needed = f'4 workers of the configs use up to {SHARED_MEMORY / GIGABYTE:.1f} GB'
    remedy = 'docker run --shm-size=8g (or --ipc=host), or num_workers=0'
    try:
        free = shutil.disk_usage(place).free
    except OSError as error:
        return Check(name, WARNING, f'{place}: {error.strerror}', remedy)
    found = f'{free / GIGABYTE:.2f} GB free in {place}; {needed}'
    if free < SHARED_MEMORY:
        return Check(name, WARNING, found, remedy)
    return Check(name, OK, found)


def check_open_files() -> Check:
    """Look at the limit of open files."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY:
        return Check('open files', OK, 'unlimited')
    if 0 <= soft < OPEN_FILES:
        wanted = 4 * OPEN_FILES
        remedy = f'ulimit -n {wanted}'
        if 0 <= hard < wanted:
            remedy += ' (as root, or in /etc/security/limits.conf)'
        found = f'at most {soft}: workers may end with "Too many open files"'
        return Check('open files', WARNING, found, remedy)
    return Check('open files', OK, f'at most {soft}')


def check_cache() -> Check:
    """Write into the folders of the caches, and look at the free disk space."""
    home = os.environ.get('XDG_CACHE_HOME') or '~/.cache'
    found = []
    for variable in ('IFDD_CACHE', 'IFDD_ZOO_CACHE'):
        folder = os.environ.get(variable) or f'{home}/ifdd_mmaction'
        path = Path(folder).expanduser().absolute()
        if path in [place for place, _ in found]:
            continue
        there = path
        while not there.exists() and there != there.parent:
            there = there.parent
        remedy = f'set {variable} to a folder of your own'
        try:
            with tempfile.TemporaryFile(dir=there):
                free = shutil.disk_usage(there).free
        except OSError as error:
            said = f'{path} cannot be written: {error.strerror}'
            return Check('cache', WARNING, said, remedy)
        if free < GIGABYTE:
            said = f'{path}: {free / GIGABYTE:.2f} GB free, 1 GB is needed'
            return Check('cache', WARNING, said, f'free some space, or {remedy}')
        found.append((path, free))
    said = (f'{path} ({free / GIGABYTE:.0f} GB free)' for path, free in found)
    return Check('cache', OK, ', '.join(said))
