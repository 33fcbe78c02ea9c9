"""The relief: a surface with all of the photo that the face mesh does not cover."""

from __future__ import annotations

import cv2
import numpy as np
from scipy import ndimage

from .fit import Fit
from .heads import HEAD, SKIN, HeadModel
from .raster import draw_triangles
from .texture import VIEW, Square

Array = np.ndarray

#: Vertices of the relief on a side, and pixels of its depth map.
GRID, MAP = 56, 132
#: The relief lies this much behind the face, and has a hole where the face is drawn,
#: this far within the outline of the face. Units.
BEHIND, HOLE = 0.35, 1.6


def depth_map(model: HeadModel, fit: Fit, square: Square) -> tuple[Array, Array]:
    """Return the depth ``(MAP, MAP)`` of the head, and where the face is drawn."""
    pixels = square.relative(fit.project(fit.points)) * MAP
    points = np.concatenate([pixels, fit.points[:, 2:]], 1).astype(np.float32)
    plain, flat = np.ones((1, 1, 4), np.float32), np.zeros((len(points), 2), 'f4')
    white = np.ones((len(points), 3), np.float32)
    maps = []
    for last in (HEAD.stop, SKIN):
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


def build_relief(
    fit: Fit, square: Square, depth: Array, outline: Array
) -> tuple[Array, Array, Array]:
    """Return the vertices of the relief, their positions in 0..1, and its triangles.

    Args:
        fit: The fitted head.
        square: The square of the photo.
        depth: Depth of the head, ``(MAP, MAP)``.
        outline: Where the face is drawn, ``(MAP, MAP)`` bool.
    """
    line = np.linspace(0, 1, GRID)
    u, v = (one.ravel() for one in np.meshgrid(line, line))
    pixels = np.stack([u, v], 1) * square.edge + square.corner
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
