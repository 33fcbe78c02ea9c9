"""What is needed to draw a photographed person in another pose and expression."""

from __future__ import annotations

from dataclasses import dataclass, replace

import cv2
import numpy as np
from scipy.spatial import cKDTree

from .eyes import lid_colors, paint_eyes, place_eyes
from .fit import Fit, fit_head
from .heads import DRAWN, EYES, LANDMARKS, SKIN, USED, HeadModel
from .landmarks import Anchors
from .matte import person_matte
from .paint import color_mouth, place_teeth, skin_brightness
from .raster import vertex_normals
from .relief import build_relief, depth_map
from .texture import TEXTURES, cut_square, find_square, without_eyes
from .wrinkles import wrinkle_masks

Array = np.ndarray

#: Reach of the face's movements into the relief, in units.
REACH = 3.0


@dataclass(frozen=True)
class Portrait:
    """A fitted photo. Vertices are those of DRAWN, and those of the relief after them.

    The relief is a surface with the rest of the photo: hair, ears, neck, clothes.

    Attributes:
        points: Vertices at rest in the photo's pose, ``(n + g, 3)`` float32, units.
        uv: Their positions in the photo's square, 0..1, ``(n + g, 2)`` float32.
        triangles: Of the face, the relief, mouth and eyes, ``(m, 3)`` int32 each.
        eyes: Texture of the eyes, ``(h, w, 4)`` float32.
        eye_uv: Positions in its pixels, ``(n + g, 2)`` float32.
        textures: Square textures ``(S, S, 4)`` float32 in 0..1, of TEXTURES.
        solid: The same with a coverage of 1.
        colors: Colors of the mouth, shadow of the eyes, 1 elsewhere, ``(n + g, 3)``
            float32.
        smooth: Vertices at rest before the bending, for the shading, ``(n, 3)``.
        normals: Their unit normals, ``(n, 3)``.
        near: Vertices of the face nearest to each vertex of the relief, ``(g, 4)``.
        share: Share in their movement, ``(g, 4)`` float32.
        expression: Displacements of the shapes, ``(k, n * 3)`` float32.
        closing: Numbers of the shapes that close the eyes.
        lid: Factors of the colors of closed lids, less one, ``(2, SKIN, 3)``.
        lift: Their movement in the texture, ``(2, SKIN, 2)`` in 0..1.
        wrinkles: Depth of groups of lines, ``(g, SKIN)``, and the strength of each by
            shape, ``(g, k)``.
        identity: Displacements of the modes of identity, ``(100, n * 3)``.
        blink: Factors of the blink of each side that close the eyes.
        background: Mean color of the photo's background, ``(3,)``.
        brightness: Mean of RGB of nose and cheeks, 0..1.
        fit: The fit.
    """

    points: Array
    uv: Array
    triangles: tuple[Array, Array, Array, Array]
    eyes: Array
    eye_uv: Array
    textures: tuple[Array, ...]
    solid: tuple[Array, ...]
    colors: Array
    smooth: Array
    normals: Array
    near: Array
    share: Array
    expression: Array
    closing: tuple[int, ...]
    lid: Array
    lift: Array
    wrinkles: tuple[Array, Array]
    identity: Array
    blink: tuple[float, float]
    background: Array
    brightness: float
    fit: Fit


def build_portrait(
    model: HeadModel, photo: Array, anchors: Anchors, rng: np.random.Generator
) -> Portrait:
    """Fit the head model to a photo and prepare its textures.

    Args:
        model: The head model.
        photo: ``(H, W, 3)`` uint8, RGB.
        anchors: Landmarks of the photo.
        rng: Draws what the photo does not show: the color of the teeth.
    """
    fit = fit_head(model, anchors)
    square = find_square(fit)
    image, inside = cut_square(photo, square, TEXTURES[0])
    matte = person_matte(image, square.relative(anchors.outline) * TEXTURES[0], inside)
    texture = image.astype(np.float32) / 255
    outside = (matte < 0.02) & inside
    background = (
        np.median(texture[outside], axis=0) if outside.any() else np.full(3, 0.8)
    )
    lids = [square.relative(one) for one in anchors.lids]
    skin = np.dstack([without_eyes(texture, lids), matte])

    textures = tuple(
        cv2.resize(skin, (edge, edge), interpolation=cv2.INTER_AREA)
        for edge in TEXTURES
    )
    depth, outline = depth_map(model, fit, square)
    relief, relief_uv, relief_triangles = build_relief(fit, square, depth, outline)
    posed = fit.points[DRAWN].copy()
    colors = np.ones((len(DRAWN) + len(relief), 3), np.float32)
    place_eyes(fit, posed, anchors)
    jaw = model.expression[model.names.index('jawOpen')]
    place_teeth(fit, posed, jaw, rng)
    brightness = skin_brightness(texture, fit, square)
    color_mouth(colors, posed, jaw, rng, float(np.clip(brightness / 0.6, 0.85, 1.05)))
    eyes, eye_uv = paint_eyes(colors, posed, texture, anchors, fit, square)

    number = np.full(USED, -1, np.int32)
    number[DRAWN] = np.arange(len(DRAWN))
    triangles = number[model.triangles]
    triangles = triangles[(triangles >= 0).all(1)]
    face = triangles[(triangles < SKIN).all(1)]
    first_eye = number[EYES[0].start]
    mouth = triangles[(triangles >= SKIN).any(1) & (triangles < first_eye).all(1)]
    balls = triangles[(triangles >= first_eye).all(1)]

    tree = cKDTree(posed[:SKIN, :2])
    distance, near = tree.query(relief[:, :2], k=4)
    share = np.exp(-((distance / REACH) ** 2)) / 4
    # The pose of the photo is the frontal one: drawn in it, a portrait is its photo.
    points = np.concatenate([posed, relief]).astype(np.float32)
    smooth = fit.smooth[DRAWN].astype(np.float32)
    turned = model.expression[:, DRAWN] @ fit.rotation.T.astype(np.float32)
    uv = square.relative(fit.project(posed))
    closing = tuple(model.names.index('eyeBlink' + side) for side in ('_L', '_R'))
    moves = np.clip(-turned[list(closing), :SKIN, 1], 0, None)
    lid, lift = lid_colors(skin[..., :3], uv[:SKIN], moves)
    return Portrait(
        points=points,
        uv=np.concatenate([uv, relief_uv]).astype(np.float32),
        triangles=(face, relief_triangles + len(DRAWN), mouth, balls),
        eyes=eyes,
        eye_uv=eye_uv,
        textures=textures,
        solid=tuple(
            np.dstack([one[..., :3], np.ones(one.shape[:2], np.float32)])
            for one in textures
        ),
        colors=colors,
        smooth=smooth,
        normals=vertex_normals(smooth, face),
        near=near.astype(np.int32),
        share=share.astype(np.float32),
        expression=turned.reshape(len(model.names), -1),
        closing=closing,
        lid=lid,
        lift=lift,
        wrinkles=wrinkle_masks(model.mean[:SKIN], LANDMARKS, model.names),
        identity=model.identity[:, DRAWN].reshape(len(model.identity), -1),
        blink=_blink_gains(model.names, turned, points),
        background=background,
        brightness=brightness,
        fit=fit,
    )


def change_shape(
    portrait: Portrait, names: tuple[str, ...], rng: np.random.Generator, amount: float
) -> Portrait:
    """Return a person with the texture of another one and a face of another shape.

    Args:
        portrait: The person.
        names: Names of the shapes.
        rng: Draws the shape.
        amount: Standard deviation of the modes of identity, which is 1 in the people
            that were scanned.
    """
    chosen = amount * rng.standard_normal(len(portrait.identity)).astype(np.float32)
    moved = (chosen @ portrait.identity).reshape(-1, 3)
    moved = moved @ portrait.fit.rotation.T.astype(np.float32)
    moved -= moved[:SKIN].mean(0)
    n = len(DRAWN)
    points = portrait.points.copy()
    points[:n] += moved
    points[n:] += (moved[portrait.near] * portrait.share[..., None]).sum(1)
    smooth = portrait.smooth + moved
    turned = portrait.expression.reshape(len(names), -1, 3)
    return replace(
        portrait, points=points, smooth=smooth,
        normals=vertex_normals(smooth, portrait.triangles[0]),
        blink=_blink_gains(names, turned, points),
    )  # fmt: skip


def _blink_gains(
    names: tuple[str, ...], expression: Array, points: Array
) -> tuple[float, float]:
    """Factors of the blink of the left and right side that close the eyes."""
    upper, lower = ((43, 44), (37, 38)), ((47, 46), (41, 40))
    gains = []
    for side, top, bottom in zip(('_L', '_R'), upper, lower, strict=True):
        tops, bottoms = LANDMARKS[list(top)], LANDMARKS[list(bottom)]
        name = 'eyeBlink' + side
        if name not in names:
            gains.append(1.0)
            continue
        moved = expression[names.index(name)]
        gap = (points[tops, 1] - points[bottoms, 1]).mean()
        closing = (moved[bottoms, 1] - moved[tops, 1]).mean()
        gains.append(float(np.clip(gap / max(closing, 1e-3) + 0.05, 0.7, 1.8)))
    return gains[0], gains[1]
