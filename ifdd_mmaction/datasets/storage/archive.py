"""All clips of a dataset in one file: reading and writing it."""

from __future__ import annotations

import io
import json
import math
import mmap
import os
import re
import struct
import zipfile
import zlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from tokenize import TokenError
from typing import Any

import numpy as np

from ...fileio import open_atomic
from ..errors import DatasetError
from ..images import decode_image
from ..label_list import check_name
from .clip_source import list_frames

FORMAT = 1
INDEX, CONTENTS = 'index.npy', 'archive.json'
COMMENT = 'ifdd_mmaction archive {}, contents at {}.'
_COMMENT_PATTERN = re.compile(rb'ifdd_mmaction archive (\d+), contents at (\d+)\.\Z')
#: Signature, CRC-32, compressed size, size, lengths of the name and the extra field.
_LOCAL_HEADER = struct.Struct('<4s10xLLLHH')
#: Errors that malformed contents raise.
_MALFORMED = (AttributeError, LookupError, RecursionError, TypeError, ValueError)
#: Archives that this process has mapped, by path.
_OPENED: dict[str, PackedArchive] = {}


@dataclass(frozen=True)
class PackedClipSource:
    """One clip of an archive: a :class:`ClipSource` without data of its own.

    Args:
        archive: Path of the file.
        clip: Name of the clip in it.
        frames: Number of its frames.
    """

    archive: str
    clip: str
    frames: int

    @property
    def name(self) -> str:
        """Path of the archive and name of the clip."""
        return f'{self.archive}:{self.clip}'

    def __len__(self) -> int:
        return self.frames

    def read(self, indexes: Sequence[int]) -> list[np.ndarray]:
        """Decode each frame asked for once, ``(H, W, 3)``; see :class:`ClipSource`."""
        archive = _OPENED.get(self.archive) or PackedArchive(self.archive)
        return archive.read(self.clip, indexes)


class PackedArchive:
    """A file of clips that ``write_archive`` made, mapped into memory.

    Args:
        path: The file. It is mapped once per process; a pickle contains the path.

    Raises:
        DatasetError: If it is missing, truncated, or another kind of file.

    Example:
        >>> from pathlib import Path
        >>> from ifdd_mmaction.datasets.storage import PackedArchive, write_archive
        >>> write_archive('clips.zip', [('anna', Path('frames/anna'))], metadata={})
        >>> archive = PackedArchive('clips.zip')
        >>> archive.names, len(archive.source('anna'))
        (['anna'], 8)
        >>> archive.read('anna', [0])[0].shape
        (32, 32, 3)
    """

    def __init__(self, path: str | os.PathLike) -> None:
        self.path = os.path.abspath(path)
        try:
            with open(self.path, 'rb') as file:
                self._data = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        except OSError as error:
            raise DatasetError(f'{path}: cannot be read: {error.strerror}') from error
        except ValueError:
            raise DatasetError(
                f'{path}: an empty file, not an archive; pack it again'
            ) from None
        found = _COMMENT_PATTERN.search(self._data[-200:])
        if not found:
            raise DatasetError(
                f'{path}: not an archive of tools/data/prepare.py --pack, or one that '
                'was cut off; pack it again'
            )
        if int(found[1]) != FORMAT:
            raise DatasetError(
                f'{path}: an archive of format {int(found[1])}, this version reads '
                f'format {FORMAT}; pack it again'
            )
        try:
            self._read_contents(int(found[2]))
        except DatasetError:
            raise
        except _MALFORMED as error:
            raise DatasetError(
                f'{path}: its contents are not those of an archive '
                f'({type(error).__name__}: {error}); pack it again'
            ) from error
        _OPENED[self.path] = self

    def _read_contents(self, place: int) -> None:
        contents = json.loads(self._checked_entry(place, CONTENTS))
        self._headers = _read_npy(self._checked_entry(contents['index'], INDEX))
        counts: dict[str, int] = contents['clips']
        if (
            not all(type(count) is int and count > 0 for count in counts.values())
            or self._headers.shape != (sum(counts.values()),)
            or self._headers.dtype != np.dtype('<u8')
        ):
            raise DatasetError(
                f'{self.path}: {self._headers.dtype} index of {self._headers.shape} '
                f'for {len(counts)} clips; pack it again'
            )
        #: First frame in the index and number of frames, by name of the clip.
        self._clips: dict[str, tuple[int, int]] = {}
        first = 0
        for name, count in counts.items():
            self._clips[check_name(name)] = first, count
            first += count
        self.decoded: bool = contents['decoded']
        #: The ``metadata`` argument of ``write_archive``.
        self.metadata: dict[str, Any] = contents['metadata']

    def __reduce__(self) -> tuple[type[PackedArchive], tuple[str]]:
        return type(self), (self.path,)

    @property
    def names(self) -> list[str]:
        """Names of the clips, in the order in which they were packed."""
        return list(self._clips)

    def source(self, name: str) -> PackedClipSource:
        """Return the clip of a name.

        Raises:
            DatasetError: If the archive has no such clip.
        """
        return PackedClipSource(self.path, name, self._frames_of(name)[1])

    def read(self, name: str, indexes: Sequence[int]) -> list[np.ndarray]:
        """Decode frames ``(H, W, 3)`` of a clip; see :class:`ClipSource`.

        Raises:
            DatasetError: If there is no such clip, or a frame of it is damaged.
            IndexError: If the clip does not have such a frame.
        """
        first, count = self._frames_of(name)
        images: dict[int, np.ndarray] = {}
        result = []
        for i in indexes:
            if not 0 <= i < count:
                raise IndexError(f'{self.path}:{name}: frame {i} of {count}')
            # A repeated frame is a copy: transforms write into frames.
            image = images[i].copy() if i in images else self._decode(first + i)
            images.setdefault(i, image)
            result.append(image)
        return result

    def verify(self, names: Iterable[str] | None = None) -> dict[str, str]:
        """Compare clips with their checksums.

        Args:
            names: The clips to check; all by default.

        Returns:
            The error of each damaged clip, by its name.
        """
        damaged = {}
        for name in self.names if names is None else names:
            first, count = self._frames_of(name)
            try:
                for header in self._headers[first : first + count].tolist():
                    self._checked_entry(header, name + '/')
            except DatasetError as error:
                damaged[name] = str(error)
        return damaged

    def _frames_of(self, name: str) -> tuple[int, int]:
        try:
            return self._clips[name]
        except KeyError:
            raise DatasetError(
                f'{self.path}: no clip {name!r} among its {len(self._clips)}'
            ) from None

    def _decode(self, frame: int) -> np.ndarray:
        name, data, _ = self._entry(int(self._headers[frame]))
        if not self.decoded:
            return decode_image(data, f'{self.path}:{name}')
        try:
            image = _read_npy(data)
        except ValueError as error:
            raise DatasetError(f'{self.path}:{name}: {error}; pack it again') from error
        if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3:
            raise DatasetError(
                f'{self.path}:{name}: {image.dtype} {image.shape}, not the uint8 '
                '(H, W, 3) of an image; pack it again'
            )
        return image

    def _entry(self, header: int) -> tuple[str, bytes, int]:
        """Return name, content and CRC-32 of the entry that begins at an offset."""
        start = header + _LOCAL_HEADER.size
        if header >= 0 and start <= len(self._data):
            signature, crc, _, size, name, extra = _LOCAL_HEADER.unpack_from(
                self._data, header
            )
            end = start + name + extra + size
            if signature == b'PK\x03\x04' and end <= len(self._data):
                text = self._data[start : start + name].decode(errors='replace')
                return text, self._data[end - size : end], crc
        raise DatasetError(
            f'{self.path}: damaged, no frame at byte {header}; pack it again'
        )

    def _checked_entry(self, header: int, name: str) -> bytes:
        """Return the content of an entry whose name begins with ``name``."""
        found, data, crc = self._entry(header)
        if zlib.crc32(data) != crc or not found.startswith(name):
            raise DatasetError(
                f'{self.path}: {found} is damaged, its checksum differs; pack it again'
            )
        return data


def _read_npy(data: bytes) -> np.ndarray:
    """Return the array of a ``.npy`` file of numbers.

    ``np.load`` would allocate memory for any shape that the header states.

    Raises:
        ValueError: If the header is not of numbers, or states another size.
    """
    file = io.BytesIO(data)
    if np.lib.format.read_magic(file) != (1, 0):
        raise ValueError(f'{data[:8]!r} does not begin a .npy file of version 1.0')
    try:
        shape, fortran, dtype = np.lib.format.read_array_header_1_0(file)
    except (SyntaxError, TokenError) as error:  # NumPy's for some damaged headers
        raise ValueError(f'the header of a .npy file is damaged ({error})') from error
    body = data[file.tell() :]
    if dtype.hasobject or fortran or math.prod(shape) * dtype.itemsize != len(body):
        raise ValueError(f'{len(body)} bytes are not a {dtype} array of {shape}')
    return np.frombuffer(bytearray(body), dtype).reshape(shape)


def write_archive(
    path: str | os.PathLike,
    clips: Iterable[tuple[str, Path]],
    metadata: dict[str, Any],
    decoded: bool = False,
) -> None:
    """Pack clips into one file, which replaces an older one at the end.

    Packing is reproducible: the same clips give the same bytes.

    Args:
        path: The file to write.
        clips: Name and folder of frames of each clip.
        metadata: Values about the dataset and its release that JSON can represent.
        decoded: Store pixels, ``(H, W, 3)`` uint8 RGB as ``.npy``, about 15 times the
            size, instead of the bytes of the files as they are.

    Raises:
        DatasetError: If a clip has no frames, a frame cannot be decoded (with
            ``decoded``), or a name is refused or duplicated.
        OSError: If a file cannot be read or written.

    Example:
        >>> from pathlib import Path
        >>> from ifdd_mmaction.datasets.storage import PackedArchive, write_archive
        >>> clips = [(name, Path('frames', name)) for name in ('anna', 'ben')]
        >>> write_archive('clips.zip', clips, metadata=dict(dataset='mine'))
        >>> PackedArchive('clips.zip').metadata
        {'dataset': 'mine'}
        >>> PackedArchive('clips.zip').verify()  # what is damaged
        {}
    """
    counts: dict[str, int] = {}
    headers: list[int] = []
    with open_atomic(path) as file, zipfile.ZipFile(file, 'w') as archive:

        def add(name: str, data: bytes) -> int:
            entry = zipfile.ZipInfo(name)
            archive.writestr(entry, data)
            return entry.header_offset

        for name, folder in clips:
            check_name(name)
            if name in counts:
                raise DatasetError(f'clip {name} is listed twice')
            frames = list_frames(folder)
            counts[name] = len(frames)
            for frame in frames:
                data = (folder / frame).read_bytes()
                if decoded:
                    data = _to_npy(decode_image(data, str(folder / frame)))
                headers.append(
                    add(f'{name}/{frame}' + ('.npy' if decoded else ''), data)
                )
        contents = dict(
            decoded=decoded,
            metadata=metadata,
            index=add(INDEX, _to_npy(np.array(headers, '<u8'))),
            clips=counts,
        )
        place = add(CONTENTS, json.dumps(contents, ensure_ascii=False).encode())
        archive.comment = COMMENT.format(FORMAT, place).encode()


def _to_npy(array: np.ndarray) -> bytes:
    file = io.BytesIO()
    np.save(file, array)
    return file.getvalue()
