"""Eyes and mouth of a portrait, which take few colors of the photo."""

from __future__ import annotations

import cv2
import numpy as np

from .fit import Fit
from .heads import (
    DRAWN,
    EYES,
    FRONT_TEETH,
    GUMS,
    IRISES,
    LANDMARKS,
    MOUTH,
)
from .landmarks import Anchors
from .texture import VIEW, Square

Array = np.ndarray

#: The eyes lie this much deeper than the model has them, in units: lids that are bent
#: to those of the photo must not cut into them.
EYE_BEHIND = 0.15


def drawn_part(part: slice) -> Array:
    """Where the vertices of a part are among those drawn."""
    return (part.start <= DRAWN) & (part.stop > DRAWN)


def place_eyes(fit: Fit, posed: Array, anchors: Anchors) -> None:
    """Move the eyes as a whole: the bending of the face would deform them."""
    targets = (anchors.pupils - fit.offset) / fit.scale * (1, -1)
    for eye, iris, target in zip(EYES, IRISES, targets, strict=True):
        here = drawn_part(eye)
        move = np.array([*(target - fit.smooth[iris, :2].mean(0)), -EYE_BEHIND])
        posed[here] = (fit.smooth[eye] + move)[DRAWN[here] - eye.start]


def skin_brightness(texture: Array, fit: Fit, square: Square) -> float:
    """Return the mean of RGB of nose and cheeks."""
    at = square.relative(fit.project(fit.points[LANDMARKS[[2, 14, 29, 30, 31, 35]]]))
    edge = texture.shape[0]
    x, y = np.clip(at * edge, 0, edge - 1).astype(int).T
    return max(float(np.median(texture[y, x].mean(1))), 0.05)


def color_mouth(
    colors: Array, posed: Array, rng: np.random.Generator, brightness: float
) -> None:  # fmt: skip
    """Dark inside the mouth, brighter teeth in front."""
    tooth = np.array([0.80, 0.77, 0.70]) * rng.uniform(0.8, 1.0) * brightness
    for parts, color in (
        ((MOUTH,), (0.20, 0.07, 0.07)),
        ((GUMS,), (0.46, 0.22, 0.21)),
        (FRONT_TEETH, tooth),
    ):
        for part in parts:
            here = np.flatnonzero(drawn_part(part))
            front = posed[here, 2] - posed[here, 2].max()
            shade = np.clip(1 + front / 5.0, 0.15, 1)
            colors[here] = np.asarray(color) * shade[:, None]


def color_eyes(
    colors: Array, posed: Array, texture: Array, lids: list[Array], anchors: Anchors,
    fit: Fit, square: Square,
) -> None:  # fmt: skip
    """Whites and irises in the colors that the photo has there."""
    edge = texture.shape[0]
    radius = max(anchors.iris / fit.scale, 0.45)
    for eye, outline, pupil in zip(EYES, lids, anchors.pupils, strict=True):
        ys, xs = np.mgrid[:edge, :edge] + 0.5
        opening = np.zeros((edge, edge), np.uint8)
        cv2.fillPoly(opening, [np.rint(outline * edge).astype(np.int32)], 1)
        middle = square.relative(pupil) * edge
        size = radius / VIEW * edge
        away = np.hypot(xs - middle[0], ys - middle[1]) / size
        white = texture[(opening > 0) & (away > 1.15)]
        ring = texture[(opening > 0) & (away > 0.5) & (away < 0.9)]
        white = np.percentile(white, 65, 0) if len(white) > 8 else np.full(3, 0.7)
        iris = np.median(ring, 0) if len(ring) > 8 else np.full(3, 0.2)
        white = np.clip(0.6 * white + 0.4 * white.mean() + 0.04, 0.35, 0.88)
        here = np.flatnonzero(drawn_part(eye))
        point = posed[here]
        target = (pupil - fit.offset) / fit.scale * (1, -1)
        rim = np.hypot(*(point[:, :2] - target).T) / radius
        front = point[:, 2] > point[:, 2].max() - 1.2
        colors[here] = white
        disk = front & (rim < 1.08)
        ringed = iris * np.clip(1.25 - 0.5 * rim[:, None] ** 4, 0.55, 1.2)
        colors[here[disk]] = np.where(rim[:, None] < 0.42, 0.03, ringed)[disk]
        # The upper lid casts a shadow.
        high = (point[:, 1] - target[1]) / radius
        colors[here] *= np.clip(1.0 - 0.28 * np.clip(high, 0, 1.2), 0.6, 1)[:, None]
