"""Checkpoint files that are written atomically and contain their hash."""

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

    A checkpoint is a ZIP archive, which may end in a comment: here the SHA-256 of all
    bytes before it. ``torch.load`` ignores it.
    """

    def put(self, obj: bytes, filepath: str | os.PathLike) -> None:
        """Write a checkpoint atomically.

        Raises:
            OSError: If it cannot be written; no partial file remains.
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
    """Compare a checkpoint with the hash in it.

    A checkpoint without a hash passes, and so does a file that is not a ZIP archive.

    Raises:
        CheckpointError: If the file differs from what was written, or cannot be read.

    Example:
        >>> from ifdd_mmaction.engine import check_checkpoint
        >>> torch.save(dict(epoch=1), 'epoch_1.pth')
        >>> check_checkpoint('epoch_1.pth')
        >>> with open('epoch_1.pth', 'r+b') as file:
        ...     _ = file.truncate(500)
        >>> check_checkpoint('epoch_1.pth')
        Traceback (most recent call last):
        ...
        ifdd_mmaction...CheckpointError: epoch_1.pth is damaged: its 500 bytes do...
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
                return  # written without a hash
    except OSError as error:
        raise CheckpointError(f'{path} cannot be read: {error.strerror}') from error
    raise CheckpointError(
        f'{path} is damaged: its {size} bytes do not match the hash in it. Use an '
        'earlier checkpoint, or another copy.'
    )


def latest_checkpoint(folder: str | os.PathLike) -> tuple[Path | None, list[str]]:
    """Find the newest undamaged checkpoint of a work dir.

    It is the one that ``last_checkpoint`` of the work dir names, where it is there:
    copying a folder may change the times of its files. Otherwise, and where the one
    with the newest time has a higher number, as a run that was killed in between leaves
    it, it is that with the newest time.

    Args:
        folder: Work dir of the training.

    Returns:
        Its path, or None without any checkpoint; one message for each newer one, which
        is damaged.

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
    for path in _newest_first(found, pointer):
        try:
            check_checkpoint(path)
            _check_archive(path)
            return path, damaged
        except CheckpointError as error:
            damaged.append(str(error))
    if damaged:
        raise CheckpointError(
            '\n'.join([*damaged, f'To start from scratch, remove them from {folder}.'])
        )
    return None, []


def _newest_first(found: list[Path], pointer: Path) -> list[Path]:
    """Sort checkpoints by time, after the one that the pointer names.

    A run that was killed before it wrote the pointer has left a newer checkpoint of a
    higher number.
    """
    ordered = sorted(found, key=os.path.getmtime, reverse=True)
    name = Path(pointer.read_text().strip()).name if pointer.is_file() else ''
    named = next((path for path in ordered if path.name == name), None)
    if named is not None:
        kind, number = _kind_and_number(named)
        newest_kind, newest = _kind_and_number(ordered[0])
        if newest_kind != kind or newest <= number:
            ordered.remove(named)
            ordered.insert(0, named)
    return ordered


def _kind_and_number(path: Path) -> tuple[str, int]:
    kind, number = path.stem.split('_')
    return kind, int(number)


def _check_archive(path: Path) -> None:
    if path.is_dir():
        return
    with path.open('rb') as file:
        archive = file.read(2) == b'PK'
    if not archive:
        raise CheckpointError(f'{path} is damaged, or not a checkpoint of this package')


def _checkpoints(folder: Path) -> list[Path]:
    return [path for path in folder.glob('*.pth') if _NAME.fullmatch(path.name)]
