"""The index of a video, made by decoding it once, and the cache of indexes."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import tempfile
import zlib
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from itertools import chain, pairwise
from pathlib import Path
from typing import Any

import numpy as np

from .open_video import OpenVideo
from .rgb import Geometry

#: Version of the file format and of the reader; files of other versions are ignored.
FORM = 1
#: Limit of frames whose entries stay in memory: 24 MB.
IN_MEMORY = 2_000_000
#: The environment variable that names the folder of the cache.
FOLDER = 'IFDD_CACHE'


@dataclass
class Index:
    """The frames of a video in the order in which they are shown.

    Args:
        geometry: Size and orientation of the frames.
        stamps: ``(T,)`` int64, the time of each frame, in ticks.
        prints: ``(T,)`` uint32, :func:`fingerprint` of each.
        places: ``(K,)`` int64, increasing: times of the key frames at which decoding
            can begin. Empty if it has to begin at the first frame.
        clock: Which time the stamps are: ``'pts'`` (presentation), ``'dts'``
            (decoding), or ``''`` if neither increases.
        lead: Ticks before the time of a key frame to seek to.
        refused: In the cache of checks, why the decoder that was asked for does not
            read the video; it has no frames then.
    """

    geometry: Geometry
    stamps: np.ndarray
    prints: np.ndarray
    places: np.ndarray
    clock: str
    lead: int = 0
    refused: str = ''

    def __len__(self) -> int:
        return len(self.stamps)

    def holds(self, number: int, fingerprint: int) -> bool:
        """Return whether a fingerprint is that of the frame of this number."""
        return fingerprint == self.prints[number]

    def place(self, frame: int) -> int:
        """Return the number of the last key frame that is not after a frame, or -1."""
        return int(np.searchsorted(self.places, self.stamps[frame], 'right')) - 1

    def first_from(self, place: int) -> int:
        """Return the number of the first frame that is not before a key frame."""
        return int(np.searchsorted(self.stamps, self.places[place]))


def make_index(video: OpenVideo) -> Index:
    """Decode all frames of a video that was just opened.

    Raises:
        VideoError: If it is damaged, or has no frame.
    """
    times: dict[str, list[int | None]] = dict(pts=[], dts=[])
    prints = []
    frames = video.frames()
    first = next(frames)
    geometry = video.geometry_of(first)
    for frame in chain((first,), frames):
        for clock, stamps in times.items():
            stamps.append(getattr(frame, clock))
        prints.append(video.fingerprint(frame))
    clock = next((clock for clock, stamps in times.items() if _rising(stamps)), '')
    return Index(
        geometry,
        np.array(times[clock] if clock else range(len(prints)), np.int64),
        np.array(prints, np.uint32),
        np.array(sorted(video.keys) if clock else [], np.int64),
        clock,
        max((shown - decoded for shown, decoded in video.keys.items()), default=0),
    )


def _rising(stamps: Sequence[int | None]) -> bool:
    known = [stamp for stamp in stamps if stamp is not None]
    return len(known) == len(stamps) and all(a < b for a, b in pairwise(known))


def state_of(path: str) -> tuple[str, int, int]:
    """Return the path, size and modification time of a file: the key of its index.

    Raises:
        OSError: If there is no such file.
    """
    status = os.stat(path)
    return os.path.abspath(path), status.st_size, status.st_mtime_ns


class IndexCache:
    """Indexes in memory and in files.

    Args:
        suffix: Suffix of the files.

    If a file of the cache cannot be written or read, the video is decoded again. A
    forked process inherits the memory of its parent.
    """

    def __init__(self, suffix: str = '') -> None:
        self.suffix = suffix
        self._memory: OrderedDict[tuple, Index] = OrderedDict()
        self._frames = 0

    def get(self, state: tuple[str, int, int], decoder: str) -> Index | None:
        """Return the index of a video, or None."""
        if (index := self._memory.get((state, decoder))) is not None:
            return index
        try:
            file = _file_of(state, self.suffix)
            index = _from_bytes(file.read_bytes(), state, decoder)
        except (OSError, RuntimeError):  # RuntimeError: no home folder
            return None
        if index is not None:
            self._remember((state, decoder), index)
        return index

    def put(self, state: tuple[str, int, int], decoder: str, index: Index) -> None:
        """Store an index; it replaces an older one."""
        self._remember((state, decoder), index)
        with contextlib.suppress(OSError, RuntimeError):
            _write(_file_of(state, self.suffix), _to_bytes(index, state, decoder))

    def _remember(self, key: tuple, index: Index) -> None:
        if (old := self._memory.pop(key, None)) is not None:
            self._frames -= len(old)
        self._memory[key] = index
        self._frames += len(index)
        while self._frames > IN_MEMORY and len(self._memory) > 1:
            self._frames -= len(self._memory.popitem(last=False)[1])


#: The cache of this process.
cache = IndexCache()


def _file_of(state: tuple[str, int, int], suffix: str) -> Path:
    home = os.environ.get('XDG_CACHE_HOME') or Path.home() / '.cache'
    folder = Path(os.environ.get(FOLDER) or Path(home) / 'ifdd_mmaction')
    name = hashlib.sha256(os.fsencode(state[0])).hexdigest()
    return folder / 'videos' / name[:2] / (name[2:] + suffix)


def _header(state: tuple[str, int, int], decoder: str) -> dict[str, Any]:
    path, size, changed = state
    return dict(form=FORM, path=path, size=size, changed=changed, decoder=decoder)


def _to_bytes(index: Index, state: tuple[str, int, int], decoder: str) -> bytes:
    header = dict(
        _header(state, decoder),
        frames=len(index),
        places=len(index.places),
        clock=index.clock,
        lead=index.lead,
        geometry=asdict(index.geometry),
        **({'refused': index.refused} if index.refused else {}),
    )
    data = json.dumps(header).encode() + b'\n'
    data += index.stamps.astype('<i8').tobytes() + index.places.astype('<i8').tobytes()
    data += index.prints.astype('<u4').tobytes()
    return data + zlib.crc32(data).to_bytes(4, 'little')


def _from_bytes(data: bytes, state: tuple[str, int, int], decoder: str) -> Index | None:
    """Return the index in a file of the cache, or None if it is of another video."""
    if not data or zlib.crc32(data[:-4]) != int.from_bytes(data[-4:], 'little'):
        return None
    text, body = data[:-4].split(b'\n', 1)
    header = json.loads(text)
    if any(header.get(key) != value for key, value in _header(state, decoder).items()):
        return None
    frames, places = header['frames'], header['places']
    geometry = header['geometry']
    return Index(
        Geometry(**{**geometry, 'flips': tuple(geometry['flips'])}),
        np.frombuffer(body, '<i8', frames),
        np.frombuffer(body, '<u4', frames, 8 * (frames + places)),
        np.frombuffer(body, '<i8', places, 8 * frames),
        header['clock'],
        header['lead'],
        header.get('refused', ''),
    )


def _write(path: Path, data: bytes) -> None:
    """Write a file atomically, without fsync: the checksum detects a partial one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor, temporary = tempfile.mkstemp(dir=path.parent)
    try:
        with os.fdopen(descriptor, 'wb') as file:
            file.write(data)
        os.replace(temporary, path)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(temporary)
        raise
