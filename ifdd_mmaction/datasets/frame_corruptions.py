"""What can be wrong with a frame: noise, blur, black, crop, occlusion, compression.

Each function takes a frame ``(H, W, 3)`` uint8 and a generator, and returns a new frame
of that shape. They model what happens to frames of faces in the wild: a sensor or a
transmission fails, the head moves fast, the video is cut, the face detector takes
another place for the face, a hand is before the face, or the video is compressed.
"""

from __future__ import annotations

from collections.abc import Callable
from types import MappingProxyType

import cv2
import numpy as np

#: Standard deviation of the blur, as a share of the shorter edge.
BLUR = 0.1
#: Edge of the window of a wrong crop, as shares of the frame's edges.
WINDOW = (0.25, 0.5)
#: Edges of the patch, as shares of the frame's.
PATCH = (0.5, 0.75)
#: Quality of the JPEG, of 100.
QUALITY = 3


def noise(frame: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Replace every value of a frame ``(H, W, 3)`` by a random one."""
    return rng.integers(0, 256, frame.shape, dtype=np.uint8)


def blur(frame: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Blur a frame ``(H, W, 3)`` by a Gaussian of a tenth of its shorter edge."""
    return cv2.GaussianBlur(frame, (0, 0), BLUR * min(frame.shape[:2]))


def black(frame: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return a frame ``(H, W, 3)`` of zeros."""
    return np.zeros_like(frame)


def wrong_crop(frame: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Enlarge a random window of a frame ``(H, W, 3)`` to the whole frame.

    The window has a quarter to half of the frame's height and width.
    """
    height, width = frame.shape[:2]
    top, left, tall, wide = _box(height, width, rng, WINDOW)
    window = frame[top : top + tall, left : left + wide]
    return cv2.resize(window, (width, height), interpolation=cv2.INTER_LINEAR)


def occlusion(frame: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Cover a random rectangle of a frame ``(H, W, 3)`` by one random color.

    It has half to three quarters of the frame's height, and of its width.
    """
    top, left, tall, wide = _box(frame.shape[0], frame.shape[1], rng, PATCH)
    covered = frame.copy()
    covered[top : top + tall, left : left + wide] = rng.integers(0, 256, 3)
    return covered


def compression(frame: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return a frame ``(H, W, 3)`` as a JPEG of quality 3 of 100 shows it."""
    quality = [cv2.IMWRITE_JPEG_QUALITY, QUALITY]
    _, data = cv2.imencode('.jpg', np.ascontiguousarray(frame[..., ::-1]), quality)
    shown: np.ndarray = np.asarray(cv2.imdecode(data, cv2.IMREAD_COLOR))
    return np.ascontiguousarray(shown[..., ::-1])


#: The corruptions by name.
CORRUPTIONS: MappingProxyType[
    str, Callable[[np.ndarray, np.random.Generator], np.ndarray]
] = MappingProxyType(
    {f.__name__: f for f in (noise, blur, black, wrong_crop, occlusion, compression)}
)


def _box(
    height: int, width: int, rng: np.random.Generator, shares: tuple[float, float]
) -> tuple[int, int, int, int]:
    """Draw top, left, height and width of a box inside a frame."""
    tall, wide = (
        max(1, round(edge * rng.uniform(*shares))) for edge in (height, width)
    )
    top, left = rng.integers(height - tall + 1), rng.integers(width - wide + 1)
    return int(top), int(left), tall, wide
