"""Draw textured triangles with a depth buffer, compiled with numba."""

import math

import numpy as np
from numba import njit

Array = np.ndarray

#: Coordinates on the edge of a triangle belong to it within this share of its area.
EDGE = 1e-6


@njit(cache=True, nogil=True)
def draw_triangles(
    image: Array,
    depth: Array,
    points: Array,
    triangles: Array,
    texture: Array,
    uv: Array,
    shade: Array,
) -> None:
    """Draw triangles into an image; the nearest one is seen.

    Attributes are interpolated linearly in the image (affine): triangles are small
    against their distance. Triangles that face away are not drawn.

    Args:
        image: ``(H, W, 3)`` float32, RGB in 0..1; changed in place.
        depth: ``(H, W)`` float32, larger is nearer; changed in place.
        points: Position of each vertex: x, y in pixels and depth, ``(n, 3)`` float32.
        triangles: Vertices of each triangle, ``(m, 3)`` int32.
        texture: ``(h, w, 4)`` float32, RGB and coverage in 0..1. Pixels with a coverage
            below one half do not change the depth.
        uv: Pixel of the texture of each vertex, ``(n, 2)`` float32.
        shade: Factors of RGB of each vertex, ``(n, 3)`` float32.
    """
    height, width = depth.shape
    rows, columns = texture.shape[:2]
    for m in range(triangles.shape[0]):
        a, b, c = triangles[m, 0], triangles[m, 1], triangles[m, 2]
        ax, ay, bx, by = points[a, 0], points[a, 1], points[b, 0], points[b, 1]
        cx, cy = points[c, 0], points[c, 1]
        area = (bx - ax) * (cy - ay) - (by - ay) * (cx - ax)
        # The y axis of an image points down: counterclockwise from outside is negative.
        if area >= 0:
            continue
        left = max(0, math.ceil(min(ax, bx, cx) - 0.5))
        right = min(width - 1, math.floor(max(ax, bx, cx) - 0.5))
        top = max(0, math.ceil(min(ay, by, cy) - 0.5))
        bottom = min(height - 1, math.floor(max(ay, by, cy) - 0.5))
        for y in range(top, bottom + 1):
            py = y + 0.5
            for x in range(left, right + 1):
                px = x + 0.5
                p = ((bx - px) * (cy - py) - (by - py) * (cx - px)) / area
                q = ((cx - px) * (ay - py) - (cy - py) * (ax - px)) / area
                r = 1.0 - p - q
                if p < -EDGE or q < -EDGE or r < -EDGE:
                    continue
                z = p * points[a, 2] + q * points[b, 2] + r * points[c, 2]
                if z <= depth[y, x]:
                    continue
                u = p * uv[a, 0] + q * uv[b, 0] + r * uv[c, 0] - 0.5
                v = p * uv[a, 1] + q * uv[b, 1] + r * uv[c, 1] - 0.5
                u = min(max(u, 0.0), columns - 1.0)
                v = min(max(v, 0.0), rows - 1.0)
                i, j = int(u), int(v)
                i1, j1 = min(i + 1, columns - 1), min(j + 1, rows - 1)
                fu, fv = u - i, v - j
                w00, w01 = (1 - fu) * (1 - fv), fu * (1 - fv)
                w10, w11 = (1 - fu) * fv, fu * fv
                cover = (
                    w00 * texture[j, i, 3]
                    + w01 * texture[j, i1, 3]
                    + w10 * texture[j1, i, 3]
                    + w11 * texture[j1, i1, 3]
                )
                if cover <= 0.004:
                    continue
                for k in range(3):
                    value = (
                        w00 * texture[j, i, k]
                        + w01 * texture[j, i1, k]
                        + w10 * texture[j1, i, k]
                        + w11 * texture[j1, i1, k]
                    ) * (p * shade[a, k] + q * shade[b, k] + r * shade[c, k])
                    image[y, x, k] += cover * (value - image[y, x, k])
                if cover >= 0.5:
                    depth[y, x] = z


@njit(cache=True, nogil=True)
def vertex_normals(points: Array, triangles: Array) -> Array:
    """Return the unit normals ``(n, 3)`` of the vertices of a mesh.

    Args:
        points: Positions, ``(n, 3)`` float32.
        triangles: Vertices of each triangle, counterclockwise from outside, ``(m, 3)``.
    """
    normals = np.zeros_like(points)
    for m in range(triangles.shape[0]):
        a, b, c = triangles[m, 0], triangles[m, 1], triangles[m, 2]
        ux, uy, uz = (
            points[b, 0] - points[a, 0],
            points[b, 1] - points[a, 1],
            points[b, 2] - points[a, 2],
        )
        vx, vy, vz = (
            points[c, 0] - points[a, 0],
            points[c, 1] - points[a, 1],
            points[c, 2] - points[a, 2],
        )
        nx, ny, nz = uy * vz - uz * vy, uz * vx - ux * vz, ux * vy - uy * vx
        for i in (a, b, c):
            normals[i, 0] += nx
            normals[i, 1] += ny
            normals[i, 2] += nz
    for i in range(normals.shape[0]):
        x, y, z = normals[i, 0], normals[i, 1], normals[i, 2]
        length = max(math.sqrt(x * x + y * y + z * z), 1e-12)
        normals[i, 0], normals[i, 1], normals[i, 2] = x / length, y / length, z / length
    return normals
