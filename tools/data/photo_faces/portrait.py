"""What is needed to draw a photographed person in another pose and expression."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from scipy import ndimage
from scipy.spatial import cKDTree

from . import heads
from .fit import Fit, fit_head
from .heads import HeadModel
from .landmarks import Anchors
from .matte import person_matte
from .raster import draw_triangles, vertex_normals

Array = np.ndarray

#: Vertices that are drawn: the face within hairline, ears and neck; mouth; eyes.
SKIN = 6706
DRAWN = np.concatenate(
    [
        np.arange(SKIN),
        *(
            np.arange(part.start, part.stop)
            for part in (heads.MOUTH, heads.GUMS, *heads.FRONT_TEETH, *heads.EYES)
        ),
    ]
)
#: Edge of the square of the photo that is used, in model units, and its middle below
#: the origin of the head model; edges of the texture in pixels, largest first.
VIEW, VIEW_Y = 44.0, 1.0
TEXTURES = (480, 320, 200)
#: Vertices of the relief on a side, and of its depth map.
GRID, MAP = 56, 132
#: The relief lies this much behind the face, and has a hole where the face is drawn,
#: this far within the outline of the face. Units.
BEHIND, HOLE = 0.35, 1.6
#: Reach of the face's movements into the relief, in units.
REACH = 3.0


@dataclass(frozen=True)
class Portrait:
    """A fitted photo. Vertices are those of DRAWN, and those of the relief after them.

    The relief is a surface with the rest of the photo: hair, ears, neck, clothes.

    Attributes:
        points: Vertices of the frontal head at rest, ``(n + g, 3)`` float32, units.
        uv: Their positions in the photo's square, 0..1, ``(n + g, 2)`` float32.
        triangles: Of the face, the relief, and mouth and eyes, ``(m, 3)`` int32 each.
        textures: Square textures ``(S, S, 4)`` float32 in 0..1, of TEXTURES.
        solid: The same with a coverage of 1.
        colors: Colors of mouth and eyes, white elsewhere, ``(n + g, 3)`` float32.
        normals: Unit normals at rest, frontal, ``(n, 3)``.
        near: Vertices of the face nearest to each vertex of the relief, ``(g, 4)``.
        share: Share in their movement, ``(g, 4)`` float32.
        expression: Displacements of the shapes, ``(k, n * 3)`` float32.
        blink: Factors of the blink of each side that close the eyes.
        background: Mean color of the photo's background, ``(3,)``.
        brightness: Mean of RGB of nose and cheeks, 0..1.
        fit: The fit.
    """

    points: Array
    uv: Array
    triangles: tuple[Array, Array, Array]
    textures: tuple[Array, ...]
    solid: tuple[Array, ...]
    colors: Array
    normals: Array
    near: Array
    share: Array
    expression: Array
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
    square = _square(fit)
    image, inside = _cut(photo, square, TEXTURES[0])
    to_texture = lambda pixels: (pixels - square[:2]) / square[2]  # noqa: E731
    matte = person_matte(image, to_texture(anchors.outline) * TEXTURES[0], inside)
    texture = image.astype(np.float32) / 255
    outside = (matte < 0.02) & inside
    background = (
        np.median(texture[outside], axis=0) if outside.any() else np.full(3, 0.8)
    )
    lids = [to_texture(one) for one in anchors.lids]
    skin = np.dstack([_without_eyes(texture, lids), matte])

    textures = tuple(
        cv2.resize(skin, (edge, edge), interpolation=cv2.INTER_AREA)
        for edge in TEXTURES
    )
    depth, outline = _depth_map(model, fit, to_texture)
    relief, relief_uv, relief_triangles = _relief(fit, square, depth, outline)
    posed = fit.points[DRAWN].copy()
    colors = np.ones((len(DRAWN) + len(relief), 3), np.float32)
    _place_eyes(model, fit, posed, anchors)
    brightness = _brightness(texture, fit, to_texture)
    _color_mouth(colors, posed, rng, float(np.clip(brightness / 0.6, 0.65, 1.05)))
    _color_eyes(colors, posed, texture, lids, anchors, fit, to_texture)

    number = np.full(heads.USED, -1, np.int32)
    number[DRAWN] = np.arange(len(DRAWN))
    triangles = number[model.triangles]
    triangles = triangles[(triangles >= 0).all(1)]
    face = triangles[(triangles < SKIN).all(1)]
    rest = triangles[(triangles >= SKIN).any(1)]

    tree = cKDTree(posed[:SKIN, :2])
    distance, near = tree.query(relief[:, :2], k=4)
    share = np.exp(-((distance / REACH) ** 2)) / 4
    back = fit.rotation.astype(np.float32)
    points = np.concatenate([posed, relief]).astype(np.float32) @ back
    expression = np.ascontiguousarray(model.expression[:, DRAWN].reshape(
        len(model.names), -1
    ))  # fmt: skip
    return Portrait(
        points=points,
        uv=np.concatenate([to_texture(fit.project(posed)), relief_uv]).astype('f4'),
        triangles=(face, relief_triangles + len(DRAWN), rest),
        textures=textures,
        solid=tuple(
            np.dstack([one[..., :3], np.ones(one.shape[:2], np.float32)])
            for one in textures
        ),
        colors=colors,
        normals=vertex_normals(points[: len(DRAWN)], face),
        near=near.astype(np.int32),
        share=share.astype(np.float32),
        expression=expression,
        blink=_blink_gains(model, points),
        background=background,
        brightness=brightness,
        fit=fit,
    )


def _square(fit: Fit) -> Array:
    """Left, top and edge (3,) of the square of the photo that is used, in pixels."""
    edge = VIEW * fit.scale
    middle = fit.offset + (0, VIEW_Y * fit.scale)
    return np.array([*(middle - edge / 2), edge])


def _cut(photo: Array, square: Array, edge: int) -> tuple[Array, Array]:
    """Square (edge, edge, 3) of a photo, and which of its pixels the photo has."""
    scale = edge / square[2]
    if scale < 1:
        sigma = 0.45 / scale
        photo = cv2.GaussianBlur(photo, (0, 0), sigma)
    matrix = np.array([[scale, 0, -square[0] * scale], [0, scale, -square[1] * scale]])
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


def _without_eyes(texture: Array, lids: list[Array]) -> Array:
    """Paint lids over the eyes: a closing lid must not show an eye."""
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
        for stretch, drawn in (((1.1, 2.2), around), ((1.04, 1.3), inner)):
            polygon = middle + (outline - middle) * stretch
            cv2.fillPoly(drawn, [np.rint(polygon * edge).astype(np.int32)], 1)
        ring = (around > 0) & (inner == 0)
        if not ring.any():
            continue
        skin = np.median(painted[ring], axis=0)
        own = np.zeros((edge, edge), np.uint8)
        cv2.fillPoly(own, [np.rint(outline * edge).astype(np.int32)], 1)
        soft = cv2.GaussianBlur((own & mask).astype(np.float32), (0, 0), 0.8)[..., None]
        painted += 0.9 * soft * (skin - painted)
    return painted


def _depth_map(
    model: HeadModel, fit: Fit, to_texture
) -> tuple[Array, Array]:  # fmt: skip
    """Depth (MAP, MAP) of the posed head, and where the drawn face is seen."""
    pixels = to_texture(fit.project(fit.points)) * MAP
    points = np.concatenate([pixels, fit.points[:, 2:]], 1).astype(np.float32)
    plain, flat = np.ones((1, 1, 4), np.float32), np.zeros((len(points), 2), 'f4')
    white = np.ones((len(points), 3), np.float32)
    maps = []
    for last in (heads.HEAD.stop, SKIN):
        image = np.zeros((MAP, MAP, 3), np.float32)
        depth = np.full((MAP, MAP), -100.0, np.float32)
        triangles = model.triangles[(model.triangles < last).all(1)]
        draw_triangles(image, depth, points, triangles, plain, flat, white)
        maps.append(depth)
    head = maps[0]
    seen = head > -100
    away, nearest = ndimage.distance_transform_edt(~seen, return_indices=True)
    filled = head[tuple(nearest)] - 0.1 * away * VIEW / MAP
    smooth = cv2.GaussianBlur(filled, (0, 0), 2.0)
    return np.where(seen, filled, smooth), maps[1] > -100


def _relief(
    fit: Fit, square: Array, depth: Array, outline: Array
) -> tuple[Array, Array, Array]:
    """Vertices, positions in the texture and triangles of the relief."""
    line = np.linspace(0, 1, GRID)
    u, v = (one.ravel() for one in np.meshgrid(line, line))
    pixels = np.stack([u, v], 1) * square[2] + square[:2]
    at = np.stack([v, u]) * (MAP - 1)
    smooth = cv2.GaussianBlur(depth, (0, 0), 1.0)
    z = ndimage.map_coordinates(smooth, at, order=1) - BEHIND
    flat = (pixels - fit.offset) / fit.scale * (1, -1)
    points = np.concatenate([flat, z[:, None]], 1).astype(np.float32)
    # Closed where the face has openings: eyes and mouth.
    whole = ndimage.binary_fill_holes(ndimage.binary_closing(outline, iterations=3))
    inner = ndimage.distance_transform_edt(whole) * VIEW / MAP > HOLE
    hole = ndimage.map_coordinates(inner.astype(float), at, order=1) > 0.5
    i = np.arange(GRID * GRID).reshape(GRID, GRID)
    a, b, c, d = (
        one.ravel() for one in (i[:-1, :-1], i[:-1, 1:], i[1:, 1:], i[1:, :-1])
    )
    # Counterclockwise as seen from the front, where y points up.
    triangles = np.concatenate([np.stack([a, d, c], 1), np.stack([a, c, b], 1)])
    kept = ~hole[triangles].all(1)
    return points, np.stack([u, v], 1), triangles[kept].astype(np.int32)


def _part(part: slice) -> Array:
    """Where the vertices of a part are among those drawn."""
    return (part.start <= DRAWN) & (part.stop > DRAWN)


def _place_eyes(model: HeadModel, fit: Fit, posed: Array, anchors: Anchors) -> None:
    """Move the eyes as a whole: the bending of the face would deform them."""
    targets = (anchors.pupils - fit.offset) / fit.scale * (1, -1)
    turn = fit.rotation.T.astype(np.float32)
    for eye, iris, target in zip(heads.EYES, heads.IRISES, targets, strict=True):
        here = _part(eye)
        ball = model.mean[eye] @ turn
        iris_at = (model.mean[iris] @ turn).mean(0)
        old = fit.points[iris].mean(0)
        move = np.array([*(target - iris_at[:2]), old[2] - iris_at[2] - 0.08])
        posed[here] = (ball + move)[DRAWN[here] - eye.start]


def _brightness(texture: Array, fit: Fit, to_texture) -> float:
    """Mean of RGB of nose and cheeks."""
    at = to_texture(fit.project(fit.points[heads.LANDMARKS[[2, 14, 29, 30, 31, 35]]]))
    edge = texture.shape[0]
    x, y = np.clip(at * edge, 0, edge - 1).astype(int).T
    return max(float(np.median(texture[y, x].mean(1))), 0.05)


def _color_mouth(
    colors: Array, posed: Array, rng: np.random.Generator, brightness: float
) -> None:  # fmt: skip
    """Dark inside the mouth, brighter teeth in front."""
    tooth = np.array([0.80, 0.77, 0.70]) * rng.uniform(0.8, 1.0) * brightness
    for parts, color in (
        ((heads.MOUTH,), (0.20, 0.07, 0.07)),
        ((heads.GUMS,), (0.46, 0.22, 0.21)),
        (heads.FRONT_TEETH, tooth),
    ):
        for part in parts:
            here = np.flatnonzero(_part(part))
            front = posed[here, 2] - posed[here, 2].max()
            shade = np.clip(1 + front / 5.0, 0.15, 1)
            colors[here] = np.asarray(color) * shade[:, None]


def _color_eyes(
    colors: Array, posed: Array, texture: Array, lids: list[Array], anchors: Anchors,
    fit: Fit, to_texture,
) -> None:  # fmt: skip
    """Whites and irises in the colors that the photo has there."""
    edge = texture.shape[0]
    radius = max(anchors.iris / fit.scale, 0.45)
    for eye, outline, pupil in zip(heads.EYES, lids, anchors.pupils, strict=True):
        ys, xs = np.mgrid[:edge, :edge] + 0.5
        opening = np.zeros((edge, edge), np.uint8)
        cv2.fillPoly(opening, [np.rint(outline * edge).astype(np.int32)], 1)
        middle = to_texture(pupil) * edge
        size = radius / VIEW * edge
        away = np.hypot(xs - middle[0], ys - middle[1]) / size
        white = texture[(opening > 0) & (away > 1.15)]
        ring = texture[(opening > 0) & (away > 0.5) & (away < 0.9)]
        white = np.percentile(white, 65, 0) if len(white) > 8 else np.full(3, 0.7)
        iris = np.median(ring, 0) if len(ring) > 8 else np.full(3, 0.2)
        white = np.clip(0.6 * white + 0.4 * white.mean() + 0.04, 0.35, 0.88)
        here = np.flatnonzero(_part(eye))
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


def _blink_gains(model: HeadModel, points: Array) -> tuple[float, float]:
    """Factors of the blink of the left and right side that close the eyes."""
    upper, lower = ((43, 44), (37, 38)), ((47, 46), (41, 40))
    gains = []
    for side, top, bottom in zip(('_L', '_R'), upper, lower, strict=True):
        tops, bottoms = heads.LANDMARKS[list(top)], heads.LANDMARKS[list(bottom)]
        name = 'eyeBlink' + side
        if name not in model.names:
            gains.append(1.0)
            continue
        moved = model.expression[model.names.index(name)]
        gap = (points[tops, 1] - points[bottoms, 1]).mean()
        closing = (moved[bottoms, 1] - moved[tops, 1]).mean()
        gains.append(float(np.clip(gap / max(closing, 1e-3) + 0.05, 0.7, 1.8)))
    return gains[0], gains[1]
