"""Checkpoint files that are whole or are not there, and say so."""

from __future__ import annotations

import hashlib
import os
import re
from pathlib import Path

from mmengine.fileio import LocalBackend, register_backend

from ...checkpoints import CheckpointError
from ...fileio import open_atomic

#: Bytes of the hash at the end of a file.
HASH_SIZE = hashlib.sha256().digest_size
_COMMENT = HASH_SIZE.to_bytes(2, 'little')
_NAME = re.compile(r'(epoch|iter)_\d+\.pth')


class CheckpointBackend(LocalBackend):
    """MMEngine's local files, written atomically and with their hash.

    A checkpoint is a ZIP archive, which may end in a comment: the SHA-256 of all bytes
    before it. Every reader of checkpoints reads it as before.
    """

    def put(self, obj: bytes, filepath: str | os.PathLike) -> None:
        """Write a checkpoint: the file holds all of it or what it held before.

        Raises:
            OSError: If it cannot be written; nothing is left behind.
        """
        with open_atomic(filepath) as file:
            # A ZIP archive without a comment ends in this record, and its length is 0.
            if obj[-22:-18] != b'PK\5\6' or obj[-2:] != b'\0\0':
                file.write(obj)
                return
            digest = hashlib.sha256()
            for part in (memoryview(obj)[:-2], _COMMENT):
                digest.update(part)
                file.write(part)
            file.write(digest.digest())


register_backend('checkpoint', CheckpointBackend, force=True)


def check_checkpoint(path: str | os.PathLike) -> None:
    """Compare a checkpoint with the SHA-256 that it contains.

    A file without a hash passes, and so does one that is not a ZIP archive.

    Raises:
        CheckpointError: If the file is not as it was written, or cannot be read.

    Example:
        >>> from ifdd_mmaction.engine import check_checkpoint
        >>> torch.save(dict(epoch=1), 'epoch_1.pth')
        >>> check_checkpoint('epoch_1.pth')
        >>> with open('epoch_1.pth', 'r+b') as file:
        ...     _ = file.truncate(500)
        >>> check_checkpoint('epoch_1.pth')
        Traceback (most recent call last):
        ...
        ifdd_mmaction...CheckpointError: epoch_1.pth is damaged: it is not as it was...
    """
    path = Path(path)
    if path.is_dir():  # a file for each rank: FSDP
        for part in sorted(path.iterdir()):
            check_checkpoint(part)
        return
    try:
        with path.open('rb') as file:
            if file.read(2) not in (b'PK', b''):
                return
            size = file.seek(0, os.SEEK_END)
            file.seek(max(0, size - HASH_SIZE - 22))
            tail = file.read()
            # The end record of a ZIP archive, 22 bytes, ends in the comment's length.
            if tail[:4] == b'PK\5\6' and tail[20:22] == _COMMENT:
                file.seek(0)
                digest = hashlib.sha256()
                left = size - HASH_SIZE
                while left and (chunk := file.read(min(left, 1 << 20))):
                    digest.update(chunk)
                    left -= len(chunk)
                if digest.digest() == tail[22:]:
                    return
            elif tail[HASH_SIZE : HASH_SIZE + 4] == b'PK\5\6':
                return  # written by others: there is nothing to compare it with
    except OSError as error:
        raise CheckpointError(f'{path} cannot be read: {error.strerror}') from error
    raise CheckpointError(
        f'{path} is damaged: it is not as it was written, {size} bytes. Take an '
        'earlier checkpoint, or another copy.'
    )


def latest_checkpoint(folder: str | os.PathLike) -> tuple[Path | None, list[str]]:
    """Find the newest checkpoint of a work dir that is whole.

    Args:
        folder: Work dir of the training.

    Returns:
        Its path, or None where there is no checkpoint; what is wrong with newer ones.

    Raises:
        CheckpointError: If there are checkpoints and all are damaged.

    Example:
        >>> from ifdd_mmaction.engine import latest_checkpoint
        >>> torch.save(dict(epoch=1), 'epoch_1.pth')
        >>> latest_checkpoint('.')
        (PosixPath('epoch_1.pth'), [])
    """
    folder = Path(folder)
    found = _checkpoints(folder)
    pointer = folder / 'last_checkpoint'
    if not found and pointer.is_file():  # out_dir of the CheckpointHook
        found = _checkpoints(Path(pointer.read_text().strip()).parent)
    damaged: list[str] = []
    for path in sorted(found, key=os.path.getmtime, reverse=True):
        try:
            check_checkpoint(path)
            _check_archive(path)
            return path, damaged
        except CheckpointError as error:
            damaged.append(str(error))
    if damaged:
        raise CheckpointError(
            '\n'.join([*damaged, f'To start anew, remove them from {folder}.'])
        )
    return None, []


def _check_archive(path: Path) -> None:
    if path.is_dir():
        return
    with path.open('rb') as file:
        archive = file.read(2) == b'PK'
    if not archive:
        raise CheckpointError(f'{path} is no checkpoint of this package, or damaged')


def _checkpoints(folder: Path) -> list[Path]:
    return [path for path in folder.glob('*.pth') if _NAME.fullmatch(path.name)]
