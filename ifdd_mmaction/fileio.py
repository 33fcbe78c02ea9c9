"""Writing files so that a reader never sees half of one."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO


@contextmanager
def open_atomic(path: str | os.PathLike) -> Iterator[BinaryIO]:
    """Open a file for writing that is replaced once the block ends without an error.

    Args:
        path: The file; missing folders are made.

    Raises:
        OSError: If the folder cannot be made or written; nothing is left behind.

    Example:
        >>> from ifdd_mmaction.fileio import open_atomic
        >>> with open_atomic('notes.txt') as file:
        ...     _ = file.write(b'whole, or not there')
        >>> open('notes.txt').read()
        'whole, or not there'
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=f'.{path.name}.')
    try:
        with os.fdopen(descriptor, 'wb') as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        # mkstemp makes files private; give it what open() would have.
        umask = os.umask(0)
        os.umask(umask)
        os.chmod(temporary, 0o666 & ~umask)
        os.replace(temporary, path)
        _sync_folder(path.parent)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def _sync_folder(folder: Path) -> None:
    """Have a new name outlast a loss of power, before an older file is removed."""
    with suppress(OSError):  # not every file system can; the file is there all the same
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def write_atomic(path: str | os.PathLike, data: bytes) -> None:
    """Write bytes to a file: it holds all of them, or what it held before.

    Args:
        path: The file; missing folders are made.
        data: Its new content.

    Raises:
        OSError: If the folder cannot be made or written; nothing is left behind.

    Example:
        >>> from ifdd_mmaction.fileio import write_atomic
        >>> write_atomic('results/scores.json', b'{"WAR": 0.75}')
        >>> open('results/scores.json').read()
        '{"WAR": 0.75}'
    """
    with open_atomic(path) as file:
        file.write(data)
