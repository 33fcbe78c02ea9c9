"""Decode and resize images."""

from __future__ import annotations

import os
import struct
from collections.abc import Sequence

import cv2
import numpy as np
import torch
from torch.nn import functional as F

from .errors import DatasetError

try:
    from simplejpeg import decode_jpeg
except ImportError:  # it comes with the extra `fast`
    decode_jpeg = None

JPEG_START, JPEG_SCAN, JPEG_END = b'\xff\xd8', b'\xff\xda', b'\xff\xd9'
EXIF = b'Exif\0\0'
#: The second bytes of JPEG markers; FF 00 is no marker.
START_OF_FRAME = {bytes([n]) for n in range(0xC0, 0xD0)} - {b'\xc4', b'\xc8', b'\xcc'}
WITHOUT_LENGTH = {bytes([n]) for n in (0, 1, *range(0xD0, 0xD9))}
PNG_START = b'\x89PNG\r\n\x1a\n'
#: Largest number of pixels (8192 x 8192). A file of a few hundred bytes can claim 65535
#: x 65535 pixels, for which OpenCV would allocate 13 GB.
MAX_PIXELS = 1 << 26
INTERPOLATIONS = ('bilinear', 'bicubic')


def decode_image(data: bytes, name: str) -> np.ndarray:
    """Decode the bytes of an image to RGB, ``(H, W, 3)`` uint8.

    JPEGs go through simplejpeg where it is installed: the pixels are the same, a fifth
    faster. Gray, CMYK and 16-bit images become 8-bit RGB, and an EXIF orientation is
    applied.

    Args:
        data: The whole file.
        name: Name of the image in errors.

    Raises:
        DatasetError: If the bytes are no JPEG or PNG, claim more than
            :data:`MAX_PIXELS`, or are cut off before their end: OpenCV would fill a
            JPEG with gray silently, and allocate what a chunk of a PNG claims.
    """
    size = image_size(data)
    if size is None:
        raise DatasetError(
            f'{name}: not an image ({len(data)} bytes, no JPEG or PNG): copy it again, '
            'or convert it'
        )
    height, width = size
    if height * width > MAX_PIXELS:
        raise DatasetError(
            f'{name}: {len(data)} bytes that claim to be {width} x {height} pixels, '
            f'more than {MAX_PIXELS}: copy it again, or scale it down'
        )
    if data.startswith(PNG_START) and not _is_whole_png(data):
        raise DatasetError(
            f'{name}: truncated PNG, {len(data)} bytes without end: copy it again'
        )
    header = data[: data.find(JPEG_SCAN)]
    # simplejpeg ignores the EXIF orientation.
    if decode_jpeg and header.startswith(JPEG_START) and EXIF not in header:
        try:
            return decode_jpeg(data)
        except ValueError:
            pass  # damaged, or a rare format: OpenCV decides
    # The end marker cannot occur inside image data, only in an embedded thumbnail,
    # which comes before the (last) scan.
    if data.startswith(JPEG_START) and data.rfind(JPEG_END) <= data.rfind(JPEG_SCAN):
        raise DatasetError(
            f'{name}: truncated JPEG, {len(data)} bytes without end: copy it again'
        )
    pixels = np.frombuffer(data, np.uint8)
    image = cv2.imdecode(pixels, cv2.IMREAD_COLOR)
    if image is None:
        raise DatasetError(f'{name}: not an image ({len(data)} bytes): copy it again')
    return cv2.cvtColor(image, cv2.COLOR_BGR2RGB)


def image_size(data: bytes) -> tuple[int, int] | None:
    """Return the height and width that a JPEG or PNG claims; None if it is neither.

    Markers of a JPEG are searched as libjpeg does, so that it finds the same size.
    """
    if data.startswith(PNG_START) and len(data) >= 24:
        width, height = struct.unpack_from('>II', data, 16)
        return height, width
    if not data.startswith(JPEG_START):
        return None
    place = len(JPEG_START)
    while (place := data.find(b'\xff', place)) >= 0:
        while data[place : place + 1] == b'\xff':
            place += 1
        marker, place = data[place : place + 1], place + 1
        if marker in START_OF_FRAME and len(data) >= place + 7:
            return struct.unpack_from('>HH', data, place + 3)
        if marker not in WITHOUT_LENGTH:
            if len(data) < place + 2:
                break
            place += struct.unpack_from('>H', data, place)[0]
    return None


def _is_whole_png(data: bytes) -> bool:
    place = len(PNG_START)
    while place + 12 <= len(data):
        length, kind = struct.unpack_from('>I4s', data, place)
        place += 12 + length  # of the chunk itself: length, kind and checksum
        if kind == b'IEND':
            return place <= len(data)
    return False


def read_image(path: str | os.PathLike) -> np.ndarray:
    """Decode an image file to RGB, ``(H, W, 3)`` uint8.

    Raises:
        DatasetError: If the file is absent or :func:`decode_image` refuses it.
    """
    try:
        with open(path, 'rb') as file:
            data = file.read()
    except OSError as error:
        raise DatasetError(f'{path}: cannot be read: {error.strerror}') from error
    return decode_image(data, os.fspath(path))


def resize_frames(
    frames: Sequence[np.ndarray] | np.ndarray, size: tuple[int, int], interpolation: str
) -> np.ndarray:
    """Resize the frames of a clip together, antialiased where they shrink.

    It is what torchvision's ``resize`` does with uint8 images. OpenCV, and so
    MMAction2's ``Resize``, skips pixels instead.

    Args:
        frames: Images ``(H, W, 3)`` uint8 of one size, or one array of them.
        size: Height and width of the result.
        interpolation: ``'bilinear'`` or ``'bicubic'``.

    Returns:
        ``(T, *size, 3)`` uint8, contiguous.
    """
    clip = np.stack(frames) if isinstance(frames, Sequence) else frames  # (T, H, W, 3)
    if clip.shape[1:3] != size:
        # The memory layout stays (T, H, W, 3), for which torch has fast kernels.
        images = torch.from_numpy(clip).permute(0, 3, 1, 2)  # (T, 3, H, W)
        images = F.interpolate(images, size, mode=interpolation, antialias=True)
        clip = images.permute(0, 2, 3, 1).numpy()
    return np.ascontiguousarray(clip)
