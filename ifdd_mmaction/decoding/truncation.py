"""Whether a file has as many bytes as its header states."""

from __future__ import annotations

import os
import struct
from collections.abc import Callable
from typing import BinaryIO

#: The first bytes of an ASF file (wmv): the GUID of its header.
ASF = bytes.fromhex('3026b2758e66cf11a6d900aa0062ce6c')
#: Matroska and WebM: the IDs of the EBML header and of the segment.
EBML, SEGMENT = b'\x1a\x45\xdf\xa3', b'\x18\x53\x80\x67'
#: Top-level boxes of mp4 and mov whose sizes are used; others can be arbitrary data.
BOXES = (
    b'ftyp', b'moov', b'mdat', b'free', b'skip', b'wide', b'pnot', b'moof', b'styp',
    b'sidx', b'mfra', b'uuid', b'meta',
)  # fmt: skip
#: Missing bytes that are tolerated: some writers do not write the final padding.
SLACK = 8


def what_is_missing(path: str) -> str:
    """Return what a file lacks according to its header, or ''.

    The headers of mp4, mov, 3gp (sizes of boxes), mkv, webm (elements), avi (chunks),
    wmv (objects), flv (``filesize``) and gif (the end mark) state the size. Those of
    ts, mpg, ogv, bare streams and live streams do not.

    Raises:
        OSError: If the file cannot be read.
    """
    size = os.path.getsize(path)
    with open(path, 'rb') as file:
        start = file.read(16)
        if start[:4] == b'GIF8':
            file.seek(-min(size, 512), os.SEEK_END)
            ends = file.read().rstrip(b'\0').endswith(b';')
            return '' if ends else 'the end mark of a GIF is not there'
        promised = _promised_bytes(file, start, size)
    if promised <= size + SLACK:
        return ''
    return f'its header promises {promised} bytes, only {size} are there'


def _promised_bytes(file: BinaryIO, start: bytes, size: int) -> int:
    if start[4:8] in BOXES:
        return _walk(file, size, _box)
    if start[:4] == b'RIFF':
        return _walk(file, size, _chunk)
    if start == ASF:
        return _walk(file, size, _asf_object)
    if start[:4] == EBML:
        return _walk(file, size, _element)
    if start[:3] == b'FLV':
        return _flv(start + file.read(4096))
    return 0


def _walk(file: BinaryIO, size: int, length: Callable[[bytes], int]) -> int:
    """Return the end of the last part of a file, following the sizes of its parts."""
    end = 0
    while end < size:
        file.seek(end)
        part = length(file.read(24))
        if part < 8:  # no size, or not a known part
            break
        end += part
    return end


def _box(head: bytes) -> int:
    length = int.from_bytes(head[:4], 'big')
    if head[4:8] not in BOXES:
        return 0
    return int.from_bytes(head[8:16], 'big') if length == 1 else length


def _chunk(head: bytes) -> int:
    length = int.from_bytes(head[4:8], 'little')
    # An interrupted recording has 0 or all ones here.
    if head[:4] != b'RIFF' or length in (0, 0xFFFFFFFF):
        return 0
    return 8 + length


def _asf_object(head: bytes) -> int:
    return int.from_bytes(head[16:24], 'little') if len(head) == 24 else 0


def _element(head: bytes) -> int:
    if head[:4] not in (EBML, SEGMENT):
        return 0
    width = 9 - head[4].bit_length() if len(head) > 4 and head[4] else 9
    if width > 8:
        return 0
    value = int.from_bytes(head[4 : 4 + width], 'big') - (1 << 7 * width)
    unknown = (1 << 7 * width) - 1
    return 0 if value == unknown else 4 + width + value


def _flv(head: bytes) -> int:
    # A number in the metadata: its name, a zero byte, and a double.
    at = head.find(b'filesize\0')
    if at < 0 or len(head) < at + 17:
        return 0
    (value,) = struct.unpack('>d', head[at + 9 : at + 17])
    return int(value) if 0 <= value < 2**53 else 0
