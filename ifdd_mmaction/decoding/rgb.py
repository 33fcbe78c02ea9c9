"""Conversion of a decoded frame to the RGB image that is shown."""

from __future__ import annotations

import functools
import zlib
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np

from .container import VideoError, pyav

#: Maximum width and height of an image, in pixels.
LONGEST = 16384
#: Sine of the maximum deviation of a rotation from a multiple of 90 degrees.
UPRIGHT_WITHIN = 0.0175  # one degree, as in FFmpeg


@dataclass(frozen=True)
class Geometry:
    """Size and orientation of the frames of a video.

    Args:
        width: Coded width, scaled to square pixels.
        height: Coded height, likewise.
        transposed: Whether to swap rows and columns, before the flips.
        flips: Whether to flip horizontally, and vertically.
    """

    width: int
    height: int
    transposed: bool = False
    flips: tuple[bool, bool] = (False, False)


def geometry_of(frame: Any, ratio: Fraction | None, path: str) -> Geometry:
    """Return the geometry of a video, from its first frame and its stream.

    Args:
        frame: PyAV's frame.
        ratio: Width over height of a pixel; None or 0 if unknown.
        path: The file.

    Raises:
        VideoError: If it is rotated by an angle that is not a multiple of 90 degrees,
            or too large.
    """
    transposed, flips = False, (False, False)
    matrix = _display_matrix(frame)
    if matrix is not None and any(matrix):
        # A point (x, y) is shown at (a x + c y, b x + d y).
        a, b, c, d = matrix[0], matrix[1], matrix[3], matrix[4]
        transposed = abs(b) > abs(a)
        kept, lost = ((b, c), (a, d)) if transposed else ((a, d), (b, c))
        if max(map(abs, lost)) > UPRIGHT_WITHIN * min(map(abs, kept)):
            raise VideoError(
                f'{path}: its header turns it by an angle that is not a right one '
                f'({a} {b} {c} {d} of 65536): re-encode it'
            )
        flips = (c < 0, b < 0) if transposed else (a < 0, d < 0)
    width, height = frame.width, frame.height
    if ratio and ratio > 0:
        # The image keeps its height; its width follows from the shape of a pixel.
        if transposed:
            height = height * ratio.denominator // ratio.numerator
        else:
            width = width * ratio.numerator // ratio.denominator
    if not (0 < width <= LONGEST and 0 < height <= LONGEST):
        raise VideoError(
            f'{path}: {frame.width} x {frame.height} pixels of shape {ratio} make a '
            f'picture of {width} x {height}: re-encode it'
        )
    return Geometry(width, height, transposed, flips)


def to_rgb(frame: Any, geometry: Geometry) -> np.ndarray:
    """Return the image ``(H, W, 3)`` uint8 RGB as a new array.

    Colors are converted and sizes changed as FFmpeg does by default. A frame of another
    size than the first is scaled to the size of the first.
    """
    if frame.interlaced_frame:
        frame = _whole_frame(frame)
    image = frame.to_ndarray(
        format='rgb24',
        width=geometry.width,
        height=geometry.height,
        interpolation='BICUBIC',
        **_one_thread(),
    )
    if geometry.transposed:
        image = image.transpose(1, 0, 2)
    if geometry.flips[0]:
        image = image[:, ::-1]
    if geometry.flips[1]:
        image = image[::-1]
    # A copy: a view would keep the memory of the frame, and transforms write into it.
    return np.array(image, order='C')


def fingerprint(frame: Any) -> int:
    """Return a 32-bit checksum of the decoded values of a frame.

    It is the CRC of the sums over rows and columns of each plane, which takes a tenth
    of the time of a CRC of the values.
    """
    form = frame.format
    bits = form.components[0].bits if form.is_planar else form.padded_bits_per_pixel
    bits = -(-bits // 8) * 8 if form.is_planar else bits
    number = 0
    for plane in frame.planes:
        used = min(plane.width * bits // 8, plane.line_size)
        rows = np.frombuffer(plane, np.uint8).reshape(-1, plane.line_size)
        # The padding at the end of a row, and below the last, is undefined.
        rows = rows[: plane.height, :used]
        if used >= 8:
            rows = rows[:, : used // 8 * 8].view(np.uint64)
        number = zlib.crc32(rows.sum(0, np.uint64), number)
        number = zlib.crc32(rows.sum(1, np.uint64), number)
    return number


@functools.cache
def _one_thread() -> dict[str, int]:
    """Return the options with which PyAV scales in one thread."""
    return {'threads': 1} if int(pyav().__version__.split('.')[0]) >= 17 else {}


def _display_matrix(frame: Any) -> list[int] | None:
    # By name: PyAV 19 iterates over the types, older versions over the data.
    data = frame.side_data.get('DISPLAYMATRIX')
    return None if data is None else np.frombuffer(data, np.int32).tolist()


def _whole_frame(frame: Any) -> Any:
    """Return a copy that is not marked as interlaced.

    PyAV's scaler would convert the colors of each field separately; the program
    ``ffmpeg`` does not.
    """
    copy = type(frame)(frame.width, frame.height, frame.format.name)
    for target, plane in zip(copy.planes, frame.planes, strict=True):
        to = np.frombuffer(target, np.uint8).reshape(-1, target.line_size)
        given = np.frombuffer(plane, np.uint8).reshape(-1, plane.line_size)
        width = min(target.line_size, plane.line_size)
        to[: len(given), :width] = given[: len(to), :width]
    copy.colorspace, copy.color_range = frame.colorspace, frame.color_range
    return copy
