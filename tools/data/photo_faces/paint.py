"""Eyes and mouth of a portrait, which take few colors of the photo."""

from __future__ import annotations

import cv2
import numpy as np
from scipy.spatial import cKDTree

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
EYE_BEHIND = 0.3
#: Factor of the height of the teeth, and how far the edge of the upper ones is below
#: the line between the lips; how far the lower ones reach behind the upper ones. Units.
TOOTH_LENGTH, TOOTH_EDGE, OVERBITE = (1.05, 1.25), (0.4, 0.6), 0.1
#: The gums lie this much higher (the lower ones lower) and deeper than the model has
#: them: it has low crowns, and a smile would show mostly gums.
GUM_SHIFT = np.array([0.35, -0.12])


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


def place_teeth(
    fit: Fit, posed: Array, jaw: Array, rng: np.random.Generator
) -> None:  # fmt: skip
    """Move teeth and gums to the mouth of the photo: the bending would deform them.

    Args:
        fit: The fitted head.
        posed: Vertices that are drawn, ``(n, 3)``; changed in place.
        jaw: Displacements of the opened jaw, ``(USED, 3)``: what moves is below.
        rng: Draws how long the teeth are.
    """
    lips = fit.points[LANDMARKS[[62, 66]]].mean(0)
    length, edge = rng.uniform(*TOOTH_LENGTH), rng.uniform(*TOOTH_EDGE)
    upper, lower = (fit.smooth[part] for part in FRONT_TEETH)
    middle = (upper[:, 0].min() + upper[:, 0].max()) / 2
    for above, anchor, high in (
        (True, upper[:, 1].min(), lips[1] - edge),
        (False, lower[:, 1].max(), lips[1] - edge + OVERBITE),
    ):
        for part in (GUMS, *FRONT_TEETH):
            here = np.flatnonzero(drawn_part(part))
            own = fit.smooth[DRAWN[here]]
            chosen = (jaw[DRAWN[here], 1] > -0.5) == above
            moved = own[chosen].copy()
            moved[:, 0] += 0.7 * (lips[0] - middle)
            moved[:, 1] = high + length * (moved[:, 1] - anchor)
            if part is GUMS:
                moved[:, 1:] += GUM_SHIFT if above else (-GUM_SHIFT[0], GUM_SHIFT[1])
            posed[here[chosen]] = moved


def color_mouth(
    colors: Array, posed: Array, jaw: Array, rng: np.random.Generator,
    brightness: float,
) -> None:  # fmt: skip
    """Dark inside the mouth, bright teeth in front, a tongue between them."""
    tooth = np.array([0.93, 0.90, 0.83]) * rng.uniform(0.85, 1.0) * brightness
    for parts, color in (
        ((MOUTH,), (0.30, 0.12, 0.11)),
        ((GUMS,), (0.50, 0.27, 0.26)),
        (FRONT_TEETH, tooth),
    ):
        for part in parts:
            here = np.flatnonzero(drawn_part(part))
            front = posed[here, 2] - posed[here, 2].max()
            shade = np.clip(1 + front / 5.0, 0.15, 1)
            colors[here] = np.asarray(color) * shade[:, None]
    # The tongue is the part of the lower gums that lies within the row of teeth.
    gums = np.flatnonzero(drawn_part(GUMS))
    teeth = posed[drawn_part(FRONT_TEETH[1])]
    gap = cKDTree(teeth).query(posed[gums])[0]
    below = jaw[DRAWN[gums], 1] < -0.5
    side = abs(posed[gums, 0] - teeth[:, 0].mean())
    tongue = gums[below & (gap > 0.5) & (side < 1.3)]
    front = posed[tongue, 2] - teeth[:, 2].max()
    shade = np.clip(1.1 + front / 9.0, 0.25, 1)
    colors[tongue] = np.array([0.62, 0.34, 0.32]) * shade[:, None] * brightness


def lid_gains(
    texture: Array, uv: Array, moved: Array, lids: list[Array]
) -> tuple[Array, Array]:
    """Return the factors of RGB that give closed lids the color of the skin around.

    A lid that closes is stretched, and with it the shadow of its crease and the lashes.

    Args:
        texture: ``(S, S, 3)`` float32, RGB in 0..1.
        uv: Positions of the vertices of the face in it, 0..1, ``(n, 2)``.
        moved: Distance that each moves when an eye closes, ``(2, n)``.
        lids: Outlines of the eye openings, ``(m, 2)`` in 0..1 each.

    Returns:
        For each eye the factors less one, ``(2, n, 3)`` float32, and the color of the
        lid, ``(2, 3)``.
    """
    edge = texture.shape[0]
    gains = np.zeros((2, len(uv), 3), np.float32)
    skins = np.zeros((2, 3), np.float32)
    soft = cv2.GaussianBlur(texture, (0, 0), edge / 300)
    middles = [outline.mean(0) for outline in lids]
    for eye, distance in enumerate(moved):
        far = distance / max(float(distance.max()), 1e-6)
        chosen = np.flatnonzero(far > 0.04)
        near = int(np.argmin([np.hypot(*(uv[chosen].mean(0) - m)) for m in middles]))
        middle, outline = middles[near], lids[near]
        width, height = np.ptp(outline, axis=0) / 2
        ys, xs = np.mgrid[:edge, :edge] / edge
        across, down = (xs - middle[0]) / width, (ys - middle[1]) / height
        # Below the brow, and the cheek below the eye: both have little shadow.
        ring = (abs(across) < 0.9) & (down > 1.8) & (down < 3.0)
        ring |= (abs(across - 0) < 0.8) & (down < -1.4) & (down > -2.4)
        skin = np.percentile(soft[ring], 60, axis=0) if ring.any() else np.full(3, 0.5)
        x, y = np.clip(uv[chosen] * edge, 0, edge - 1).astype(int).T
        ratio = np.clip(0.92 * skin / np.maximum(soft[y, x], 0.03), 1.0, 3.0) - 1
        # The edge of the lid with the lashes stays dark.
        inner = np.clip((0.97 - far[chosen]) / 0.1, 0, 1)
        share = inner * np.clip(far[chosen] / 0.25, 0, 1)
        gains[eye, chosen] = ratio * share[:, None]
        skins[eye] = skin
    return gains, skins


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
