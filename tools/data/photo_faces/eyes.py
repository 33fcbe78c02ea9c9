"""Eyes and lids of a portrait."""

from __future__ import annotations

import cv2
import numpy as np

from .fit import Fit
from .heads import DRAWN, EYES, IRISES, LANDMARKS
from .landmarks import Anchors
from .paint import drawn_part
from .texture import Square

Array = np.ndarray

#: The eyes lie this much deeper than the model has them, in units: lids that are bent
#: to those of the photo must not cut into them.
EYE_BEHIND = 0.3
#: Edge of the texture of an eye, in pixels, and what it shows, in radii of the iris.
EDGE, SHOWN = 64, 5.0
#: Radii of the pupil and of the part of the photo that is used, in radii of the iris.
PUPIL, OWN = 0.4, 1.35
#: Share of the distance to the brow by which the texture of a lid that closes moves up:
#: the lashes and the shadow of the crease would be stretched with it.
LIFT = 0.3


def place_eyes(fit: Fit, posed: Array, anchors: Anchors) -> None:
    """Move the eyes as a whole: the bending of the face would deform them."""
    targets = (anchors.pupils - fit.offset) / fit.scale * (1, -1)
    for eye, iris, target in zip(EYES, IRISES, targets, strict=True):
        here = drawn_part(eye)
        move = np.array([*(target - fit.smooth[iris, :2].mean(0)), -EYE_BEHIND])
        posed[here] = (fit.smooth[eye] + move)[DRAWN[here] - eye.start]


def paint_eyes(
    colors: Array,
    posed: Array,
    photo: Array,
    anchors: Anchors,
    fit: Fit,
    square: Square,
) -> tuple[Array, Array]:
    """Return a texture of both eyes, and the positions of the vertices in it.

    The iris is that of the photo as far as the lids show it; the rest has its colors.

    Args:
        colors: Colors of the vertices, ``(n, 3)``; changed to the shadow of the lids.
        posed: Vertices that are drawn, ``(n, 3)``.
        photo: The square of the photo, ``(S, S, 3)`` float32, RGB in 0..1.
        anchors: Landmarks of the photo.
        fit: The fitted head.
        square: The square of the photo.

    Returns:
        The texture ``(EDGE, 2 * EDGE, 4)`` float32, and the positions, ``(n, 2)``
        float32, in its pixels.
    """
    edge = photo.shape[0]
    radius = max(anchors.iris / fit.scale, 0.45)
    pixels = radius * fit.scale * edge / square.edge
    ys, xs = (np.mgrid[:EDGE, :EDGE] + 0.5 - EDGE / 2) * SHOWN / EDGE
    away = np.hypot(xs, ys)
    textures, uv = [], np.zeros((len(colors), 2), np.float32)
    for number, (eye, outline, pupil) in enumerate(
        zip(EYES, anchors.lids, anchors.pupils, strict=True)
    ):
        middle = square.relative(pupil) * edge
        at = np.float32(middle[:, None, None] + pixels * np.stack([xs, ys]) - 0.5)
        seen = cv2.remap(photo, *at, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        lids = (square.relative(outline) * edge - middle) / pixels
        opening = np.zeros((EDGE, EDGE), np.uint8)
        polygon = np.rint((lids * EDGE / SHOWN + EDGE / 2) * 8).astype(np.int32)
        cv2.fillPoly(opening, [polygon], 1, cv2.LINE_8, 3)
        whites = seen[(opening > 0) & (away > 1.15) & (abs(ys) < 0.8)]
        ring = seen[(opening > 0) & (away > 0.5) & (away < 0.9)]
        white = np.percentile(whites, 65, 0) if len(whites) > 8 else np.full(3, 0.7)
        iris = np.median(ring, 0) if len(ring) > 8 else np.full(3, 0.2)
        white = np.clip(0.6 * white + 0.4 * white.mean() + 0.04, 0.35, 0.88)
        made = _made_eye(xs, ys, white, iris)
        if anchors.complete:
            inner = cv2.erode(opening, np.ones((3, 3), np.uint8)).astype(np.float32)
            share = cv2.GaussianBlur(inner, (0, 0), 1.5) * inner
            share *= np.clip((OWN - away) / 0.3, 0, 1)
            made += share[..., None] * (seen - made)
        textures.append(made)
        here = np.flatnonzero(drawn_part(eye))
        target = (pupil - fit.offset) / fit.scale * (1, -1)
        flat = (posed[here, :2] - target) / radius * (1, -1)
        flat = np.clip(flat, -0.49 * SHOWN, 0.49 * SHOWN)
        uv[here] = flat * EDGE / SHOWN + EDGE / 2 + (number * EDGE, 0)
        # The upper lid casts a shadow, and so do the corners.
        high = np.clip(-flat[:, 1], 0, 1.2)
        side = np.clip(abs(flat[:, 0]) - 1.2, 0, 1)
        colors[here] = np.clip(1.0 - 0.25 * high - 0.2 * side, 0.5, 1)[:, None]
    texture = np.concatenate(textures, 1).astype(np.float32)
    return np.dstack([texture, np.ones(texture.shape[:2], np.float32)]), uv


def _made_eye(xs: Array, ys: Array, white: Array, iris: Array) -> Array:
    """An eye (EDGE, EDGE, 3) of two colors, at positions in radii of the iris."""
    away = np.hypot(xs, ys)[..., None]
    soft = SHOWN / EDGE
    # Toward the corners the white is pink.
    pink = np.clip((abs(xs[..., None]) - 1.6) / 1.0, 0, 0.7)
    eye = white * (1 - pink * (0.05, 0.3, 0.3))
    disk = iris * np.clip(1.2 - 0.6 * away**4, 0.5, 1.2)
    eye = eye + np.clip((1.03 - away) / soft / 2 + 0.5, 0, 1) * (disk - eye)
    eye = eye + np.clip((PUPIL - away) / soft / 2 + 0.5, 0, 1) * (0.03 - eye)
    glint = np.hypot(xs + 0.3, ys + 0.35)[..., None]
    return eye + 0.7 * np.exp(-((glint / 0.16) ** 2)) * (0.9 - eye)


def lid_colors(texture: Array, uv: Array, moved: Array) -> tuple[Array, Array]:
    """Return what gives lids that close the look of the skin above them.

    Args:
        texture: ``(S, S, 3)`` float32, RGB in 0..1.
        uv: Positions of the vertices of the face in it, 0..1, ``(n, 2)``.
        moved: Distance that each moves down when an eye closes, ``(2, n)``.

    Returns:
        For each eye the factors of RGB less one, ``(2, n, 3)`` float32, and the
        movement in the texture, ``(2, n, 2)`` float32.
    """
    edge = texture.shape[0]
    gains = np.zeros((2, len(uv), 3), np.float32)
    lifts = np.zeros((2, len(uv), 2), np.float32)
    soft = cv2.GaussianBlur(texture, (0, 0), edge / 300)
    brows = uv[LANDMARKS[17:22]], uv[LANDMARKS[22:27]]
    for eye, distance in enumerate(moved):
        far = distance / max(float(distance.max()), 1e-6)
        chosen = np.flatnonzero(far > 0.04)
        middle = uv[chosen].mean(0)
        brow = min(brows, key=lambda one: abs(float(one[:, 0].mean() - middle[0])))
        # The edge of the lid with the lashes stays dark.
        inner = np.clip((0.96 - far[chosen]) / 0.08, 0, 1)
        share = inner * np.clip((far[chosen] - 0.05) / 0.6, 0, 1)
        height = np.interp(uv[chosen, 0], *brow[np.argsort(brow[:, 0])].T)
        lift = LIFT * np.clip(height - uv[chosen, 1], None, 0)
        lifts[eye, chosen, 1] = share * lift
        if not (share > 0.5).any():
            continue
        at = uv[chosen] + lifts[eye, chosen]
        x, y = np.clip(at * edge, 0, edge - 1).astype(int).T
        skin = np.percentile(soft[y[share > 0.5], x[share > 0.5]], 65, axis=0)
        ratio = np.clip(skin / np.maximum(soft[y, x], 0.03), 1.0, 2.0) - 1
        gains[eye, chosen] = ratio * share[:, None]
    return gains, lifts
