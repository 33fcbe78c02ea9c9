"""What a camera and a video file do to frames."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np

from .codec import compress_video, draw_codec

Array = np.ndarray

#: Ranges that are drawn from uniformly, for most clips and for those of a poor camera:
#: where all clips are poor, a model learns little from many.
RANGES = {
    'exposure': (0.38, 0.6),
    'contrast': (0.8, 1.2),
    'saturation': (0.4, 1.2),
    'resolution': (0.55, 1.0),
    'noise': (0.0, 0.02),
    'quality': (40, 95),
    'blur': (0.0, 0.6),
}
POOR = {
    'exposure': (0.33, 0.6),
    'contrast': (0.7, 1.2),
    'saturation': (0.2, 1.2),
    'resolution': (0.3, 0.7),
    'noise': (0.0, 0.03),
    'quality': (18, 60),
    'blur': (0.0, 0.9),
}
POOR_SHARE = 0.2
#: Brightness that the contrast leaves as it is.
MIDDLE = 0.45
#: Pixels by which the field of noise is larger than a frame.
NOISE = 64


class Camera:
    """A camera with its light, drawn for one clip.

    Args:
        rng: Random numbers.
        edge: Width and height of the rendered frames, in pixels.
        brightness: Brightness of the face in them, 0..1. Cameras expose for faces: they
            make up for most of it.

    Attributes:
        drawn: What was drawn, by name.
    """

    def __init__(self, rng: np.random.Generator, edge: int, brightness: float) -> None:
        self._rng = rng
        ranges = POOR if rng.random() < POOR_SHARE else RANGES
        drawn: dict[str, Any] = {
            name: float(rng.uniform(*ends)) for name, ends in ranges.items()
        }
        drawn['noise'] *= rng.random()
        drawn['quality'] = round(drawn['quality'])
        drawn |= draw_codec(rng)
        gain = np.clip((drawn['exposure'] / brightness) ** 0.7, 0.6, 2.2)
        self.drawn = drawn
        # Codecs take even sizes.
        self.size = max(32, 2 * round(edge * drawn['resolution'] / 2))
        tint = np.array([1 + rng.normal(0, 0.05), 1, 1 + rng.normal(0, 0.07)])
        gray, own = np.full((3, 3), 1 / 3), np.eye(3)
        colors = gray + drawn['saturation'] * (own - gray)
        colors *= drawn['contrast'] * gain * tint[:, None]
        offset = np.full((3, 1), MIDDLE * (1 - drawn['contrast']))
        self._colors = (255 * np.concatenate([colors, offset], 1)).astype(np.float32)
        # Frames take parts of one field of noise: most of it is gray.
        shape = (self.size + NOISE, self.size + NOISE)
        field = rng.standard_normal((*shape, 1), np.float32)
        field = 0.8 * field + 0.6 * rng.standard_normal((*shape, 3), np.float32)
        self._noise = (255 * drawn['noise'] * field).astype(np.float32)

    def take(self, frame: Array, speed: Array) -> Array:
        """Return a frame ``(s, s, 3)`` uint8 as the camera sees it.

        Args:
            frame: ``(S, S, 3)`` float32, RGB in 0..1.
            speed: Movement of the head until the next frame, x and y in pixels.
        """
        drawn = self.drawn
        frame = self._move(frame, 0.5 * speed)
        frame = cv2.resize(frame, (self.size,) * 2, interpolation=cv2.INTER_AREA)
        if drawn['blur'] > 0.3:
            frame = cv2.GaussianBlur(frame, (0, 0), drawn['blur'])
        frame = cv2.transform(frame, self._colors)
        if drawn['noise'] > 0.001:
            x, y = self._rng.integers(0, NOISE, 2)
            frame += self._noise[y : y + self.size, x : x + self.size]
        return np.clip(np.rint(frame), 0, 255).astype(np.uint8)

    def record(self, frames: list[Array]) -> list[Array]:
        """Return frames ``(s, s, 3)`` uint8 as the camera's file has them."""
        if self.drawn['codec'] != 'jpeg':
            return compress_video(frames, self.drawn['codec'], self.drawn['rate'])
        code = [cv2.IMWRITE_JPEG_QUALITY, self.drawn['quality']]
        files = (cv2.imencode('.jpg', one[..., ::-1], code)[1] for one in frames)
        return [np.ascontiguousarray(cv2.imdecode(f, 1)[..., ::-1]) for f in files]

    def _move(self, frame: Array, path: Array) -> Array:
        """Blur along a path (2,) in pixels."""
        length = float(np.hypot(*path))
        if length < 1.0:
            return frame
        reach = int(np.ceil(length / 2)) + 1
        kernel = np.zeros((2 * reach + 1,) * 2, np.float32)
        for t in np.linspace(-0.5, 0.5, 4 * reach):
            x, y = np.rint(reach + t * np.asarray(path)).astype(int)
            kernel[y, x] += 1
        return cv2.filter2D(frame, -1, kernel / kernel.sum())
