"""Fetch a file once, go on where a connection broke, and trust nothing but its hash."""

from __future__ import annotations

import hashlib
import os
import sys
from http.client import HTTPException
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import Request, urlopen

from filelock import FileLock
from rich.console import Console
from rich.progress import DownloadColumn, Progress

from ..errors import InputError

ATTEMPTS = 3
#: Seconds without a byte after which a connection counts as broken.
TIMEOUT = 30.0
CHUNK = 1 << 16


class ZooError(InputError):
    """A model, config or checkpoint of the zoo cannot be had; one line says why."""


def sha256_of(path: str | os.PathLike) -> str:
    """Return the SHA-256 of a file in hexadecimal digits."""
    digest = hashlib.sha256()
    with open(path, 'rb') as file:
        while chunk := file.read(CHUNK):
            digest.update(chunk)
    return digest.hexdigest()


def is_whole(path: Path, sha256: str) -> bool:
    """Whether a file is there and has this SHA-256."""
    return path.is_file() and sha256_of(path) == sha256


def download(url: str, path: Path, sha256: str) -> None:
    """Fetch a file over HTTP: it is there whole and with the right hash, or not at all.

    What has come before a connection broke is kept in ``<path>.part``, also for the
    next call. Processes that want the same file wait for the first of them.

    Args:
        url: Address, ``http://`` or ``https://``; the hash makes either safe.
        path: Where to put it; folders are made.
        sha256: Of the file, in hexadecimal digits.

    Raises:
        ZooError: If the server has no such file, the connection breaks ``ATTEMPTS``
            times, or what came has another hash, which is then removed.
        OSError: If the file cannot be written.
    """
    if not url.startswith(('http://', 'https://')):
        raise ZooError(f'{url} is no address to download from: http(s)://... is')
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f'{path.name}.part')
    with FileLock(f'{path}.lock'):
        if is_whole(path, sha256):  # by the process that had the lock
            return
        for attempt in range(1, ATTEMPTS + 1):
            try:
                _receive(url, part)
                break
            except _BrokenConnection as error:
                if attempt == ATTEMPTS:
                    raise ZooError(
                        f'{url}: {error}. {_size(part)} bytes of it are kept in '
                        f'{part}: call again to go on from there'
                    ) from error
        if (found := sha256_of(part)) != sha256:
            part.unlink()
            raise ZooError(
                f'{url} is not the file of the zoo: its SHA-256 is {found}, not '
                f'{sha256}. What was fetched is removed'
            )
        os.replace(part, path)


class _BrokenConnection(Exception):
    """Worth another attempt."""


def _receive(url: str, part: Path) -> None:
    """Append to ``part`` what it lacks of a file."""
    have = _size(part)
    request = Request(url, headers={'Range': f'bytes={have}-'} if have else {})
    try:
        response = urlopen(request, timeout=TIMEOUT)
    except HTTPError as error:
        error.close()
        if error.code == 416:  # more is here than there: not of that file
            part.unlink()
            raise _BrokenConnection(f'the file has less than {have} bytes') from error
        if error.code < 500:
            raise ZooError(f'{url}: the server answers {error.code}') from error
        raise _BrokenConnection(f'the server answers {error.code}') from error
    except (OSError, HTTPException) as error:
        raise _BrokenConnection(f'no connection ({error})') from error
    with response, part.open('ab' if response.status == 206 else 'wb') as file:
        if response.status != 206:
            have = 0  # the server cannot go on in the middle: all of it comes again
        total = have + int(response.headers.get('Content-Length') or 0)
        with _progress() as progress:
            task = progress.add_task(part.stem, total=total or None, completed=have)
            while chunk := _read(response):
                file.write(chunk)
                progress.advance(task, len(chunk))
    if _size(part) < total:
        raise _BrokenConnection(f'the connection ended at {_size(part)} of {total}')


def _read(response: object) -> bytes:
    try:
        return response.read(CHUNK)  # type: ignore[attr-defined]
    except (OSError, HTTPException) as error:
        raise _BrokenConnection(f'the connection broke ({error})') from error


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def _progress() -> Progress:
    return Progress(
        *Progress.get_default_columns(),
        DownloadColumn(),
        console=Console(stderr=True),
        disable=not sys.stderr.isatty(),
        transient=True,
    )
