"""Whether a file has as many bytes as its header says."""

from __future__ import annotations

import os
import struct
from collections.abc import Callable
from typing import BinaryIO

#: Where the parts of an ASF file (wmv) begin: the first bytes of its header's name.
ASF = bytes.fromhex('3026b2758e66cf11a6d900aa0062ce6c')
#: Matroska and WebM: the element that says so, and the one that holds everything.
EBML, SEGMENT = b'\x1a\x45\xdf\xa3', b'\x18\x53\x80\x67'
#: Boxes with which an mp4 or mov begins.
MP4_BOXES = (b'ftyp', b'moov', b'mdat', b'free', b'skip', b'wide', b'pnot')
#: Missing bytes that are let pass: some writers do not count the padding of the end.
SLACK = 8


def promised_bytes(path: str) -> int:
    """Return how many bytes the header of a file promises at least.

    mp4, mov, 3gp (sizes of boxes), mkv, webm (of elements), avi (of chunks), wmv (of
    objects) and flv (``filesize``) make a promise. ts, mpg, ogv, gif and bare streams
    make none, nor does what was written as a live stream: 0.

    Raises:
        OSError: If the file cannot be read.
    """
    size = os.path.getsize(path)
    with open(path, 'rb') as file:
        start = file.read(16)
        file.seek(0)
        if start[4:8] in MP4_BOXES:
            return _walk(file, size, _box)
        if start[:4] == b'RIFF':
            return _walk(file, size, _chunk)
        if start == ASF:
            return _walk(file, size, _asf_object)
        if start[:4] == EBML:
            return _walk(file, size, _element)
        if start[:3] == b'FLV':
            return _flv(file.read(4096))
    return 0


def missing_bytes(path: str) -> tuple[int, int] | None:
    """Return the bytes that are promised and those that are there, if those are fewer.

    Raises:
        OSError: If the file cannot be read.
    """
    promised, found = promised_bytes(path), os.path.getsize(path)
    return (promised, found) if found + SLACK < promised else None


def _walk(file: BinaryIO, size: int, length: Callable[[bytes], int]) -> int:
    """Go from part to part; return where the last one ends."""
    end = 0
    while end < size:
        file.seek(end)
        part = length(file.read(24))
        if part < 8:  # no length: to the end of the file, or no such part
            break
        end += part
    return end


def _box(head: bytes) -> int:
    length = int.from_bytes(head[:4], 'big')
    # What follows the last box may be anything: only names are believed.
    if len(head) < 8 or not head[4:8].isalnum():
        return 0
    return int.from_bytes(head[8:16], 'big') if length == 1 else length


def _chunk(head: bytes) -> int:
    length = int.from_bytes(head[4:8], 'little')
    # A recorder that was switched off leaves 0, or all ones.
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
    # A number of the metadata: its name, a 0, and 8 bytes of a double.
    at = head.find(b'filesize\0')
    if at < 0 or len(head) < at + 17:
        return 0
    (value,) = struct.unpack('>d', head[at + 9 : at + 17])
    return int(value) if 0 <= value < 2**53 else 0
