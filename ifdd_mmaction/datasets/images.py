"""Decode image files."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from .errors import DatasetError

JPEG_START, JPEG_SCAN, JPEG_END = b'\xff\xd8', b'\xff\xda', b'\xff\xd9'


def decode_image(data: bytes, name: str) -> np.ndarray:
    """Decode the bytes of an image to RGB, ``(H, W, 3)`` uint8.

    Args:
        data: The whole file.
        name: What to call it in errors.

    Raises:
        DatasetError: If the bytes are no image, or a JPEG cut off before its end,
            which OpenCV would fill with grey without a word.
    """
    # The end marker cannot occur inside image data, only in an embedded thumbnail,
    # which comes before the (last) scan.
    if data.startswith(JPEG_START) and data.rfind(JPEG_END) <= data.rfind(JPEG_SCAN):
        raise DatasetError(f'{name}: truncated JPEG, {len(data)} bytes without end')
    pixels = np.frombuffer(data, np.uint8)
    image = cv2.imdecode(pixels, cv2.IMREAD_COLOR) if data else None
    if image is None:
        raise DatasetError(f'{name}: not an image ({len(data)} bytes)')
    return cv2.cvtColor(image, cv2.COLOR_BGR2RGB)


def read_image(path: Path) -> np.ndarray:
    """Decode an image file to RGB, ``(H, W, 3)`` uint8.

    Raises:
        DatasetError: If the file is absent or :func:`decode_image` refuses it.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise DatasetError(f'{path}: {error.strerror}') from error
    return decode_image(data, str(path))
