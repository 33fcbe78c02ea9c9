"""Draw a person's frames: pose, expression, light and background."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from .fit import rotation_matrix
from .heads import DRAWN, EYES, LANDMARKS, SKIN
from .portrait import Portrait
from .raster import draw_triangles, vertex_normals
from .texture import TEXTURES, VIEW

Array = np.ndarray

#: The head turns about this point of the neck. Heights between which vertices follow
#: the head less and less, and the share that is left at the shoulders. Units.
PIVOT = np.array([0.0, -8.0, -2.0], np.float32)
NECK, FOLLOW = (-11.0, -19.0), 0.25
#: Light of the photo: soft, from the front.
STUDIO, STUDIO_SHARE = np.array([0.0, 0.25, 0.97], np.float32), 0.6
#: Power by which folds are deeper than the mesh's normals say, limits of their shading
#: (what the photo has in shadow is no brighter in the light), and of all shading.
FOLDS, DEEP, LIMITS = 1.4, (0.66, 1.12), (0.3, 1.6)
#: Powers of RGB of the shading of folds: light that passes through skin is red.
SKIN_TINT = np.array([0.85, 1.05, 1.1], np.float32)
#: Axes of the ellipsoid whose normals take the light of a clip.
ELLIPSOID = np.array([9.0, 13.0, 11.0], np.float32)


MOUTH_INSIDE = slice(SKIN, int(np.searchsorted(DRAWN, EYES[0].start)))


@dataclass(frozen=True)
class View:
    """Pose and light of one frame.

    Attributes:
        angles: Yaw, pitch and roll of the head, in radians.
        shift: Position of the head's origin from the middle of the frame, units.
        scale: Pixels per unit.
        distance: Distance of the camera, in units.
        light: Direction of the added light, ``(3,)``.
        share: Share of the added light, 0 for the photo's own light only.
        tint: Factors of RGB, ``(3,)``.
        lines: Depth of the lines of the skin, 0..1.
    """

    angles: tuple[float, float, float]
    shift: tuple[float, float]
    scale: float
    distance: float
    light: Array
    share: float
    tint: Array
    lines: float = 0.6


def draw_person(
    portrait: Portrait, weights: Array, view: View, background: Array
) -> tuple[Array, Array]:
    """Return a frame ``(S, S, 3)`` float32 RGB in 0..1, and the vertices in it.

    Args:
        portrait: The person.
        weights: Weights of the shapes, ``(k,)``.
        view: Pose and light.
        background: ``(S, S, 3)`` float32, RGB in 0..1.

    Returns:
        The frame, and x and y of the vertices of the face, ``(SKIN, 2)``, in pixels.
    """
    n, edge = len(DRAWN), background.shape[0]
    moved = (weights @ portrait.expression).reshape(-1, 3)
    points = portrait.points.copy()
    points[:n] += moved
    points[n:] += (moved[portrait.near] * portrait.share[..., None]).sum(1)

    turned = _turn(points, view)
    away = view.distance / (view.distance - turned[:, 2])
    place = np.empty((len(points), 3), np.float32)
    place[:, 0] = edge / 2 + (turned[:, 0] + view.shift[0]) * away * view.scale
    place[:, 1] = edge / 2 - (turned[:, 1] + view.shift[1]) * away * view.scale
    place[:, 2] = turned[:, 2]

    shade = portrait.colors * _light(portrait, moved, turned, view)
    masks, strengths = portrait.wrinkles
    depth = np.minimum(strengths @ weights, 1.2)
    if view.lines > 0 and depth.max() > 0.05:
        lines = np.clip(view.lines * 0.5 * (depth @ masks), -0.25, 0.5)
        shade[:SKIN] *= (1 - lines[:, None]) ** SKIN_TINT
    shade[MOUTH_INSIDE] *= _mouth_light(portrait.points, points)
    uv = portrait.uv
    for side, (i, gain) in enumerate(
        zip(portrait.closing, portrait.blink, strict=True)
    ):
        if weights[i] > 0.05:
            closed = np.float32(np.clip(1.5 * weights[i] / gain, 0, 1))
            shade[:SKIN] *= 1 + closed * portrait.lid[side]
            uv = uv.copy()
            uv[:SKIN] += closed * portrait.lift[side]
    shade = (shade * view.tint).astype(np.float32)
    image = background.copy()
    depth = np.full((edge, edge), -1e3, np.float32)
    want = view.scale * VIEW
    level = max((i for i, size in enumerate(TEXTURES) if size >= 0.8 * want), default=0)
    texture = portrait.textures[level]
    uv = uv * texture.shape[0]
    face, relief, mouth, eyes = portrait.triangles
    draw_triangles(image, depth, place, relief, texture, uv, shade)
    draw_triangles(image, depth, place, face, portrait.solid[level], uv, shade)
    white = np.ones((1, 1, 4), np.float32)
    draw_triangles(image, depth, place, mouth, white, uv, shade)
    draw_triangles(image, depth, place, eyes, portrait.eyes, portrait.eye_uv, shade)
    return image, place[:SKIN, :2]


def _mouth_light(rest: Array, points: Array) -> float:
    """Share of light that falls into the mouth, by how far it is opened, 0..1."""
    upper, lower = LANDMARKS[[61, 62, 63]], LANDMARKS[[67, 66, 65]]
    gap, closed = ((p[upper, 1] - p[lower, 1]).mean() for p in (points, rest))
    return float(0.2 + 0.8 * np.clip((gap - closed) / 0.25, 0, 1))


def _turn(points: Array, view: View) -> Array:
    """Turn the head; neck and shoulders follow less."""
    head = rotation_matrix(*view.angles).astype(np.float32)
    body = rotation_matrix(*(FOLLOW * a for a in view.angles)).astype(np.float32)
    around = points - PIVOT
    high = (points[:, 1] - NECK[1]) / (NECK[0] - NECK[1])
    # What is far to the back, the nape, follows as the neck does.
    follow = np.clip(high, 0, 1)[:, None].astype(np.float32)
    follow = follow * follow * (3 - 2 * follow)
    return follow * (around @ head.T) + (1 - follow) * (around @ body.T) + PIVOT


def _light(portrait: Portrait, moved: Array, turned: Array, view: View) -> Array:
    """Factors of RGB of each vertex (n + g, 3) relative to the photo."""
    ambient = 1 - STUDIO_SHARE
    normals = vertex_normals(portrait.smooth + moved, portrait.triangles[0])

    def studio(normal: Array) -> Array:
        return ambient + STUDIO_SHARE * np.clip(normal @ STUDIO, 0, None)

    folds = np.ones(len(turned), np.float32)
    ratio = studio(normals[:SKIN]) / studio(portrait.normals[:SKIN])
    folds[:SKIN] = np.clip(ratio**FOLDS, *DEEP)
    round_normals = turned / ELLIPSOID**2
    round_normals /= np.linalg.norm(round_normals, axis=1, keepdims=True) + 1e-6
    added = np.clip(round_normals @ view.light.astype(np.float32), 0, None)
    spread = 1 - view.share + view.share * (0.25 + 1.35 * added)
    colored = spread[:, None] * folds[:, None] ** SKIN_TINT
    return np.clip(colored, *LIMITS)


def draw_background(rng: np.random.Generator, edge: int) -> Array:
    """Return a blurred room ``(edge, edge, 3)`` float32, RGB in 0..1."""
    count = int(rng.integers(2, 7))
    colors = rng.uniform(0, 1, (count, count, 3))
    gray = rng.uniform(0.45, 0.97)  # rooms are rather pale
    colors = gray * colors.mean(2, keepdims=True) + (1 - gray) * colors
    room = cv2.resize(colors.astype(np.float32), (edge, edge), None, 0, 0, 2)
    for _ in range(int(rng.integers(0, 6))):
        color = rng.uniform(0, 1, 3) * (1 - gray) + gray * rng.uniform(0, 1)
        a, b = (tuple(map(int, rng.integers(0, edge, 2))) for _ in range(2))
        cv2.rectangle(room, a, b, color.tolist(), -1)
    room = cv2.GaussianBlur(room, (0, 0), edge * rng.uniform(0.004, 0.03))
    return np.clip(room * rng.uniform(0.4, 1.0), 0, 1)
