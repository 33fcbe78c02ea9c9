"""A hand in front of the face, as of somebody who wipes an eye or covers the mouth."""

from __future__ import annotations

import cv2
import numpy as np

from .script import draw_envelope, wander

Array = np.ndarray

#: In units of the head model, about 1 cm: distance and width of the fingers, their
#: lengths from the knuckles; width of the palm, where it begins and the arm ends, below
#: the knuckles; how far the fingers go into it.
DISTANCE, WIDTH, LENGTHS = 1.9, 1.75, (6.5, 7.5, 7.0, 5.5)
PALM, ARM, ROOTS = 7.5, (6.0, 30.0), 4.0
#: Widths that are drawn on each other, as shares, and their brightness: from the rim of
#: a finger to its ridge. Brightness at which the hand has the color of the skin; that
#: between the fingers.
RIDGES, SKIN_LEVEL, GAP_LEVEL = ((1.0, 110), (0.8, 165), (0.5, 200)), 190, 150
#: Where the tip of the middle finger is, from the middle of the face: x and y, up.
TIPS = (-5.0, 5.0), (-8.0, 4.0)
#: Direction of the fingers from upright, standard deviation in degrees.
LEAN = 30.0
#: How far away the hand comes from, and its movement. Units.
AWAY, MOTION = 22.0, 0.35
#: Pixels of the drawn hand for each pixel of the frame, against stairs.
FINE = 2


class Hand:
    """A hand that comes, stays or goes.

    Args:
        rng: Random numbers.
        frames: Number of frames.
    """

    def __init__(self, rng: np.random.Generator, frames: int) -> None:
        course = draw_envelope(rng, frames)[1]
        tip = np.array([rng.uniform(*one) for one in TIPS])
        still = np.stack([wander(rng, frames, 2.5) for _ in range(2)], 1)
        self.tips = tip + MOTION * still
        self.tips[:, 1] -= AWAY * (1 - course)
        self.lean = np.radians(rng.normal(0, LEAN)) + 0.05 * wander(rng, frames, 3.0)
        self.apart = rng.uniform(0.95, 1.25)
        self.size = rng.uniform(0.85, 1.1)
        self.tone = rng.uniform(0.85, 1.15) * np.array([1.0, 0.96, 0.95])

    def cover(self, image: Array, face: Array, scale: float, i: int) -> Array:
        """Return frame i ``(S, S, 3)`` float32 RGB in 0..1 with the hand.

        Args:
            image: The frame without it.
            face: Vertices of the face in it, ``(SKIN, 2)``, in pixels.
            scale: Pixels of a unit.
            i: Number of the frame.
        """
        edge = image.shape[0]
        inside = face[((face >= 0) & (face < edge)).all(1)].astype(int)
        if not len(inside):
            return image
        skin = np.median(image[inside[:, 1], inside[:, 0]], axis=0) * self.tone
        shape = self._shape(face.mean(0), scale, i, edge)
        cover, shade = (one[..., None].astype(np.float32) for one in shape)
        shadow = cv2.GaussianBlur(cover, (0, 0), 0.8 * scale)[..., None]
        under = image * (1 - 0.3 * shadow)
        return (under * (1 - cover) + np.clip(skin * shade, 0, 1) * cover).astype(
            np.float32
        )

    def _shape(
        self, middle: Array, scale: float, i: int, edge: int
    ) -> tuple[Array, Array]:
        """Coverage and brightness of the hand, ``(S, S)`` each."""
        up = np.array([np.sin(self.lean[i]), np.cos(self.lean[i])])
        across = np.array([up[1], -up[0]])
        pixels = scale * self.size * FINE

        def place(along: float, sideways: float) -> tuple[int, int]:
            x, y = self.tips[i] + self.size * (along * up + sideways * across)
            x, y = middle[0] + scale * x, middle[1] - scale * y
            return round(FINE * x), round(FINE * y)

        cover = np.zeros((FINE * edge, FINE * edge), np.uint8)
        shade = np.full_like(cover, GAP_LEVEL)
        longest = max(LENGTHS)
        for share, level in RIDGES:
            finger, palm = (max(round(share * w * pixels), 1) for w in (WIDTH, PALM))
            lines = [(*(place(-longest - along, 0) for along in ARM), palm)]
            for k, length in enumerate(LENGTHS):
                side = (k - 1.0) * DISTANCE
                tip = place(length - longest, self.apart * side)
                lines.append((tip, place(-longest - ROOTS, side), finger))
            for start, end, width in lines:
                cv2.line(shade, start, end, level, width)
                cv2.line(cover, start, end, 255, width)
        shade = cv2.GaussianBlur(shade, (0, 0), 0.25 * pixels)
        cover, shade = (
            cv2.resize(one, (edge, edge), None, 0, 0, cv2.INTER_AREA)
            for one in (cover, shade)
        )
        return cover / 255, shade / SKIN_LEVEL
