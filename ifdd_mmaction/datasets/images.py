"""Decode and resize images."""

from __future__ import annotations

import os
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
INTERPOLATIONS = ('bilinear', 'bicubic')


def decode_image(data: bytes, name: str) -> np.ndarray:
    """Decode the bytes of an image to RGB, ``(H, W, 3)`` uint8.

    JPEGs go through simplejpeg where it is installed: the pixels are the same, a fifth
    faster. Grey, CMYK and 16-bit images become 8-bit RGB, and an EXIF orientation is
    followed.

    Args:
        data: The whole file.
        name: What to call it in errors.

    Raises:
        DatasetError: If the bytes are no image, or a JPEG cut off before its end,
            which OpenCV would fill with grey without a word.
    """
    header = data[: data.find(JPEG_SCAN)]
    # simplejpeg does not know the orientation of EXIF.
    if decode_jpeg and header.startswith(JPEG_START) and EXIF not in header:
        try:
            return decode_jpeg(data)
        except ValueError:
            pass  # damaged, or of a rare kind: OpenCV decides
    # The end marker cannot occur inside image data, only in an embedded thumbnail,
    # which comes before the (last) scan.
    if data.startswith(JPEG_START) and data.rfind(JPEG_END) <= data.rfind(JPEG_SCAN):
        raise DatasetError(
            f'{name}: truncated JPEG, {len(data)} bytes without end: copy it again'
        )
    pixels = np.frombuffer(data, np.uint8)
    image = cv2.imdecode(pixels, cv2.IMREAD_COLOR) if data else None
    if image is None:
        raise DatasetError(f'{name}: not an image ({len(data)} bytes): copy it again')
    return cv2.cvtColor(image, cv2.COLOR_BGR2RGB)


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
        size: Height and width to make.
        interpolation: ``'bilinear'`` or ``'bicubic'``.

    Returns:
        ``(T, *size, 3)`` uint8, contiguous.
    """
    clip = np.stack(frames) if isinstance(frames, Sequence) else frames  # (T, H, W, 3)
    if clip.shape[1:3] != size:
        # The order of memory stays (T, H, W, 3), for which torch has fast kernels.
        images = torch.from_numpy(clip).permute(0, 3, 1, 2)  # (T, 3, H, W)
        images = F.interpolate(images, size, mode=interpolation, antialias=True)
        clip = images.permute(0, 2, 3, 1).numpy()
    return np.ascontiguousarray(clip)
