"""The square of a photo that is used, as a texture of the face."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from .fit import Fit

Array = np.ndarray

#: Edge of the square of the photo that is used, in units of the head model, and its
#: middle below the origin of the model; edges of the texture in pixels, largest first.
VIEW, VIEW_Y = 44.0, 1.0
TEXTURES = (480, 320, 200)


@dataclass(frozen=True)
class Square:
    """A square of a photo.

    Attributes:
        corner: Left and top, ``(2,)``, in pixels of the photo.
        edge: Width and height, in pixels of the photo.
    """

    corner: Array
    edge: float

    def relative(self, pixels: Array) -> Array:
        """Return positions in the square, 0..1, of pixels ``(n, 2)`` of the photo."""
        return (pixels - self.corner) / self.edge


def find_square(fit: Fit) -> Square:
    """Return the square around a fitted head."""
    edge = VIEW * fit.scale
    middle = fit.offset + (0, VIEW_Y * fit.scale)
    return Square(middle - edge / 2, edge)


def cut_square(photo: Array, square: Square, edge: int) -> tuple[Array, Array]:
    """Return a square ``(edge, edge, 3)`` and which of its pixels the photo has."""
    scale = edge / square.edge
    if scale < 1:
        sigma = 0.45 / scale
        photo = cv2.GaussianBlur(photo, (0, 0), sigma)
    left, top = square.corner
    matrix = np.array([[scale, 0, -left * scale], [0, scale, -top * scale]])
    cut = cv2.warpAffine(
        photo, matrix, (edge, edge), flags=cv2.INTER_LINEAR,
        borderMode=cv2.BORDER_REPLICATE,
    )  # fmt: skip
    ones = np.ones(photo.shape[:2], np.uint8)
    inside = cv2.warpAffine(ones, matrix, (edge, edge)) > 0
    # Below the photo its last row goes on: a body has no lower end.
    below = int(np.flatnonzero(inside.any(1))[-1])
    inside[below:] = inside[below - 2]
    return cut, inside


def without_eyes(texture: Array, lids: list[Array]) -> Array:
    """Paint lids over the eyes: a closing lid must not show an eye.

    Args:
        texture: ``(S, S, 3)`` float32, RGB in 0..1.
        lids: Outlines of the eye openings, ``(m, 2)`` in 0..1 each.
    """
    edge = texture.shape[0]
    mask = np.zeros((edge, edge), np.uint8)
    for outline in lids:
        middle = outline.mean(0)
        polygon = middle + 0.97 * (outline - middle)
        cv2.fillPoly(mask, [np.rint(polygon * edge).astype(np.int32)], 1)
    small = (texture * 255).astype(np.uint8)
    painted = cv2.inpaint(small, mask, 3, cv2.INPAINT_TELEA).astype(np.float32) / 255
    # Lashes and the white of the eye would smear over the lid: take the skin around.
    for outline in lids:
        middle = outline.mean(0)
        around, inner = (np.zeros((edge, edge), np.uint8) for _ in range(2))
        for stretch, drawn in (((1.1, 1.8), around), ((1.04, 1.3), inner)):
            polygon = middle + (outline - middle) * stretch
            cv2.fillPoly(drawn, [np.rint(polygon * edge).astype(np.int32)], 1)
        ring = (around > 0) & (inner == 0)
        if not ring.any():
            continue
        skin = np.percentile(painted[ring], 70, axis=0)
        own = np.zeros((edge, edge), np.uint8)
        cv2.fillPoly(own, [np.rint(outline * edge).astype(np.int32)], 1)
        soft = cv2.GaussianBlur((own & mask).astype(np.float32), (0, 0), 0.8)[..., None]
        painted += 0.9 * soft * (skin - painted)
    return painted
