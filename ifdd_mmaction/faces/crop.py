"""Cut a face out of a frame as the datasets did."""

from __future__ import annotations

import cv2
import numpy as np

CROPS = ('square', 'align')

#: Where ArcFace (insightface, ``face_align.py``) puts the landmarks in 112 pixels.
ARCFACE_112 = np.array(
    [
        [38.2946, 51.6963],
        [73.5318, 51.5014],
        [56.0252, 71.7366],
        [41.5493, 92.3655],
        [70.7299, 92.2041],
    ]
)


def crop_square(
    frame: np.ndarray, box: np.ndarray, size: int = 224, margin: float = 0.1
) -> np.ndarray:
    """Crop a square around a face: its box made square, with a margin.

    What lies outside of the frame is black. Nothing is rotated.

    Args:
        frame: ``(H, W, 3)``.
        box: Left, top, right, bottom in pixels.
        size: Edge of the result.
        margin: Added on every side, as a share of the box's longer side.

    Returns:
        ``(size, size, 3)``.

    Example:
        >>> from ifdd_mmaction.faces import crop_square
        >>> frame = np.full((48, 64, 3), 200, np.uint8)
        >>> crop = crop_square(frame, box=np.array([0, 10, 20, 40]), size=112)
        >>> crop.shape, crop[56, 0, 0], crop[56, 56, 0]  # black outside of the frame
        ((112, 112, 3), 0, 200)
    """
    left, top, right, bottom = box
    edge = max(right - left, bottom - top) * (1 + 2 * margin)
    edge = max(2, round(edge))
    x = round((left + right - edge) / 2)
    y = round((top + bottom - edge) / 2)
    height, width = frame.shape[:2]
    x0, y0 = min(max(x, 0), width), min(max(y, 0), height)
    x1, y1 = max(min(x + edge, width), x0), max(min(y + edge, height), y0)
    square = np.zeros((edge, edge, frame.shape[2]), frame.dtype)
    square[y0 - y : y1 - y, x0 - x : x1 - x] = frame[y0:y1, x0:x1]
    return cv2.resize(square, (size, size), interpolation=_interpolation(size / edge))


def align_face(
    frame: np.ndarray, landmarks: np.ndarray, size: int = 224, zoom: float = 0.9
) -> np.ndarray:
    """Crop a face upright, with its landmarks at fixed positions.

    The frame is mapped by the similarity transform (rotation, scale, translation) that
    fits the landmarks best in least squares. Outside of the frame it is black.

    Args:
        frame: ``(H, W, 3)``.
        landmarks: Of :class:`Face`, ``(5, 2)``.
        size: Edge of the result.
        zoom: 1 is ArcFace's cut, which ends above the brows and in the chin; less
            shows more around it.

    Returns:
        ``(size, size, 3)``.

    Example:
        >>> from ifdd_mmaction.faces import align_face
        >>> frame = np.zeros((100, 100, 3), np.uint8)
        >>> landmarks = np.array([[30, 40], [70, 40], [50, 60], [35, 80], [65, 80]])
        >>> align_face(frame, landmarks, size=112).shape
        (112, 112, 3)
    """
    middle = np.array([56.0, 56.0])
    target = ((ARCFACE_112 - middle) * zoom + middle) * size / 112
    matrix = similarity(landmarks, target)
    scale = float(np.hypot(*matrix[:, 0]))
    if scale < 1:
        # Warping reads single pixels: shrink first, by averaging, to a pixel at least
        # (where landmarks lie on one point, or far outside).
        scale = max(scale, 1 / min(frame.shape[:2]))
        frame = cv2.resize(
            frame, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA
        )
        matrix[:, :2] /= scale
    return cv2.warpAffine(frame, matrix, (size, size), flags=cv2.INTER_LINEAR)


def similarity(points: np.ndarray, target: np.ndarray) -> np.ndarray:
    """Return the matrix ``(2, 3)`` of the similarity that best maps points to others.

    Args:
        points: ``(n, 2)``, not all the same.
        target: ``(n, 2)``.
    """
    x, y = points.T
    one, zero = np.ones_like(x), np.zeros_like(x)
    rows = np.concatenate(
        [np.stack([x, -y, one, zero], 1), np.stack([y, x, zero, one], 1)]
    )
    a, b, tx, ty = np.linalg.lstsq(rows, target.T.reshape(-1), rcond=None)[0]
    return np.array([[a, -b, tx], [b, a, ty]])


def crop_face(
    frame: np.ndarray,
    box: np.ndarray,
    landmarks: np.ndarray,
    crop: str = 'square',
    size: int = 224,
) -> np.ndarray:
    """Crop a face from a frame, ``(size, size, 3)``.

    Args:
        frame: ``(H, W, 3)``.
        box: Left, top, right, bottom in pixels.
        landmarks: ``(5, 2)``; without them (NaN), the square is taken.
        crop: ``'square'`` or ``'align'``; see :func:`crop_square`,
            :func:`align_face`.
        size: Edge of the result.

    Raises:
        ValueError: If there is no such way to crop.

    Example:
        >>> from ifdd_mmaction.faces import WholeFrame, crop_face
        >>> frame = np.zeros((48, 64, 3), np.uint8)
        >>> (face,) = WholeFrame()(frame)
        >>> no_landmarks = np.full((5, 2), np.nan)
        >>> crop_face(frame, face.box, no_landmarks, crop='square', size=112).shape
        (112, 112, 3)
    """
    if crop not in CROPS:
        raise ValueError(f'crop={crop!r}: choose one of {CROPS}')
    if crop == 'align' and np.isfinite(landmarks).all():
        return align_face(frame, landmarks, size)
    return crop_square(frame, box, size)


def _interpolation(scale: float) -> int:
    return cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
