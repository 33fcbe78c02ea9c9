"""Download files with resumption and a check of their SHA-256."""

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
#: Seconds without data after which a connection counts as lost.
TIMEOUT = 30.0
CHUNK = 1 << 16


class ZooError(InputError):
    """A model, config or checkpoint of the zoo is not available; says why."""


def sha256_of(path: str | os.PathLike) -> str:
    """Return the SHA-256 of a file as hexadecimal digits."""
    digest = hashlib.sha256()
    with open(path, 'rb') as file:
        while chunk := file.read(CHUNK):
            digest.update(chunk)
    return digest.hexdigest()


def is_whole(path: Path, sha256: str) -> bool:
    """Return whether a file exists and has this SHA-256."""
    return path.is_file() and sha256_of(path) == sha256


def download(url: str, path: Path, sha256: str) -> None:
    """Download a file over HTTP; it is stored only if its hash is correct.

    If the connection is lost, the data received is kept in ``<path>.part``, from which
    the next call continues. If several processes download the same file, one of them
    does and the others wait.

    Args:
        url: Address, ``http://`` or ``https://``; the hash makes either safe.
        path: Where to store the file; folders are created.
        sha256: SHA-256 of the file, as hexadecimal digits.

    Raises:
        ZooError: If the server does not have the file, the connection is lost
            ``ATTEMPTS`` times, or the file has another hash; it is then removed.
        OSError: If the file cannot be written.
    """
    if not url.startswith(('http://', 'https://')):
        raise ZooError(f'{url} is not an address to download from: use http(s)://...')
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f'{path.name}.part')
    with FileLock(f'{path}.lock'):
        if is_whole(path, sha256):  # by the process that had the lock
            return
        for attempt in range(1, ATTEMPTS + 1):
            try:
                _receive(url, part)
                break
            except _ConnectionLost as error:
                if attempt == ATTEMPTS:
                    raise ZooError(
                        f'{url}: {error}. {_size(part)} bytes of it are kept in '
                        f'{part}: call again to continue from there'
                    ) from error
        if (found := sha256_of(part)) != sha256:
            part.unlink()
            raise ZooError(
                f'{url} is not the file of the zoo: its SHA-256 is {found}, not '
                f'{sha256}. The download is removed'
            )
        os.replace(part, path)


class _ConnectionLost(Exception):
    """An error after which another attempt is made."""


def _receive(url: str, part: Path) -> None:
    """Append the missing data of a file to ``part``."""
    have = _size(part)
    request = Request(url, headers={'Range': f'bytes={have}-'} if have else {})
    try:
        response = urlopen(request, timeout=TIMEOUT)
    except HTTPError as error:
        error.close()
        if error.code == 416:  # part is larger than the file: it is of another file
            part.unlink()
            raise _ConnectionLost(f'the file has less than {have} bytes') from error
        if error.code < 500:
            raise ZooError(f'{url}: the server returned {error.code}') from error
        raise _ConnectionLost(f'the server returned {error.code}') from error
    except (OSError, HTTPException) as error:
        raise _ConnectionLost(f'no connection ({error})') from error
    with response, part.open('ab' if response.status == 206 else 'wb') as file:
        if response.status != 206:
            have = 0  # the server does not support ranges: it sends the whole file
        total = have + int(response.headers.get('Content-Length') or 0)
        with _progress() as progress:
            task = progress.add_task(part.stem, total=total or None, completed=have)
            while chunk := _read(response):
                file.write(chunk)
                progress.advance(task, len(chunk))
    if _size(part) < total:
        raise _ConnectionLost(f'the connection ended at {_size(part)} of {total}')


def _read(response: object) -> bytes:
    try:
        return response.read(CHUNK)  # type: ignore[attr-defined]
    except (OSError, HTTPException) as error:
        raise _ConnectionLost(f'the connection was lost ({error})') from error


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
