"""Crop a face from a frame as the datasets did."""

from __future__ import annotations

import cv2
import numpy as np

CROPS = ('square', 'align')

#: Positions of the landmarks in ArcFace (insightface, ``face_align.py``), 112 pixels.
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
    """Crop the square around the box of a face, with a margin.

    Pixels outside the frame are black. The face is not rotated.

    Args:
        frame: ``(H, W, 3)``.
        box: Left, top, right, bottom in pixels.
        size: Width and height of the result.
        margin: Added on every side, as a fraction of the longer side of the box.

    Returns:
        ``(size, size, 3)``.

    Example:
        >>> from ifdd_mmaction.faces import crop_square
        >>> frame = np.full((48, 64, 3), 200, np.uint8)
        >>> crop = crop_square(frame, box=np.array([0, 10, 20, 40]), size=112)
        >>> crop.shape, crop[56, [0, 56], 0].tolist()  # black outside of the frame
        ((112, 112, 3), [0, 200])
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
    """Crop an aligned face: its landmarks are mapped to fixed positions.

    The mapping is the least-squares similarity transform (rotation, scale,
    translation). Pixels outside the frame are black.

    Args:
        frame: ``(H, W, 3)``.
        landmarks: Landmarks of a :class:`Face`, ``(5, 2)``.
        size: Width and height of the result.
        zoom: 1 is ArcFace's crop, which ends above the eyebrows and within the chin; a
            smaller value shows more around the face.

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
        # Warping reads single pixels: first downscale by averaging, to at least one
        # pixel (landmarks may coincide or lie far outside).
        scale = max(scale, 1 / min(frame.shape[:2]))
        frame = cv2.resize(
            frame, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA
        )
        matrix[:, :2] /= scale
    return cv2.warpAffine(frame, matrix, (size, size), flags=cv2.INTER_LINEAR)


def similarity(points: np.ndarray, target: np.ndarray) -> np.ndarray:
    """Return the matrix ``(2, 3)`` of the least-squares similarity transform.

    Args:
        points: Points ``(n, 2)``, not all the same.
        target: Positions that they are mapped to, ``(n, 2)``.
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
    """Crop a face, ``(size, size, 3)``.

    Args:
        frame: ``(H, W, 3)``.
        box: Left, top, right, bottom in pixels.
        landmarks: ``(5, 2)``; if they are NaN, the crop is ``'square'``.
        crop: ``'square'`` or ``'align'``; see :func:`crop_square`,
            :func:`align_face`.
        size: Width and height of the result.

    Raises:
        ValueError: If ``crop`` is not one of :data:`CROPS`.

    Example:
        >>> from ifdd_mmaction.faces import WholeFrame, crop_face
        >>> frame = np.zeros((48, 64, 3), np.uint8)
        >>> (face,) = WholeFrame()(frame)
        >>> no_landmarks = np.full((5, 2), np.nan)
        >>> crop_face(frame, face.box, no_landmarks, crop='square', size=112).shape
        (112, 112, 3)
    """
    if crop not in CROPS:
        raise ValueError(f'crop={crop!r}: must be one of {", ".join(CROPS)}')
    if crop == 'align' and np.isfinite(landmarks).all():
        return align_face(frame, landmarks, size)
    return crop_square(frame, box, size)


def _interpolation(scale: float) -> int:
    return cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
