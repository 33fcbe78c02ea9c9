"""The mouth of a portrait, which the photo does not show, and its brightness."""

from __future__ import annotations

import itertools

import numpy as np
from scipy.spatial import cKDTree

from .fit import Fit
from .heads import (
    DRAWN,
    FRONT_TEETH,
    GUMS,
    LANDMARKS,
    MOUTH,
    TOOTH_STARTS,
)
from .texture import Square

Array = np.ndarray

#: Factor of the height of the teeth, and how far the edge of the upper ones is below
#: the line between the lips; how far the lower ones reach behind the upper ones. Units.
TOOTH_LENGTH, TOOTH_EDGE, OVERBITE = (1.05, 1.25), (0.4, 0.6), 0.1
#: Factor of the width of each tooth: modes of identity leave gaps.
TOOTH_WIDTH = 1.08
#: The gums lie this much higher (the lower ones lower) and deeper than the model has
#: them: it has low crowns, and a smile would show mostly gums.
GUM_SHIFT = np.array([0.35, -0.12])


def drawn_part(part: slice) -> Array:
    """Where the vertices of a part are among those drawn."""
    return (part.start <= DRAWN) & (part.stop > DRAWN)


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
    close = {}
    for part, starts in zip(FRONT_TEETH, TOOTH_STARTS, strict=True):
        teeth = fit.smooth[part].copy()
        for first, last in itertools.pairwise(np.subtract(starts, part.start)):
            tooth = teeth[first:last, 0]
            tooth += (TOOTH_WIDTH - 1) * (tooth - tooth.mean())
        close[part.start] = teeth
    for above, anchor, high in (
        (True, upper[:, 1].min(), lips[1] - edge),
        (False, lower[:, 1].max(), lips[1] - edge + OVERBITE),
    ):
        for part in (GUMS, *FRONT_TEETH):
            here = np.flatnonzero(drawn_part(part))
            own = close.get(part.start, fit.smooth[part])
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
