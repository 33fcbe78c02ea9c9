"""What the scanned shapes lack: brows that are drawn together, and lines of the skin.

The scans are smooth, and their lowered brows come down at the middle rather than at the
inner ends. Lines are drawn as shading of the vertices, which lie about as far from each
other as the pixels of a crop of 112 pixels.
"""

from __future__ import annotations

import itertools

import numpy as np

Array = np.ndarray

#: Landmarks of Multi-PIE of the inner halves of the brows: left and right in the image.
INNER = (21, 20), (22, 23)
#: Movement of the inner end of a brow, toward the other one, up and to the front, and
#: its reach. Units.
MOVES = {'browKnit': (0.32, 0.0, 0.08), 'browLower': (0.0, -0.34, 0.05)}
WIDTH = 1.1
#: Groups of lines, the shapes that show them, and how strongly.
LINES = {
    'frown': {'browKnit': 0.6, 'browLower': 0.5, 'browDown': 0.15},
    'forehead': {'browInnerUp': 0.55, 'browOuterUp': 0.65},
    'nose': {'noseSneer': 0.7},
    'cheek': {'mouthSmile': 0.75, 'noseSneer': 0.6, 'mouthUpperUp': 0.2},
    'crow': {'cheekSquint': 0.8, 'cheekRaiser': 0.3},
}
#: Half the width of a line, and the share of its ridges. Units.
LINE, RIDGE = 0.17, 0.3


def added_shapes(mean: Array, landmarks: Array) -> dict[str, Array]:
    """Return displacements ``(n, 3)`` of shapes that the head model does not have.

    Args:
        mean: Vertices of the mean head, ``(n, 3)``.
        landmarks: Vertices of the 68 landmarks of Multi-PIE.
    """
    shapes = {}
    for name, (across, up, front) in MOVES.items():
        for side, numbers, sign in (('_R', INNER[0], 1), ('_L', INNER[1], -1)):
            end, further = mean[landmarks[list(numbers)]]
            middle = end + 0.25 * (further - end)
            away = ((mean - middle) ** 2)[:, :2].sum(1) / WIDTH**2
            share = np.exp(-away) * (mean[:, 2] > middle[2] - 4)
            move = np.array([sign * across, up, front])
            shapes[name + side] = (share[:, None] * move).astype(np.float32)
    return shapes


def _lines(mean: Array, landmarks: Array) -> dict[str, list[tuple[Array, float]]]:
    """Polylines (m, 2) of each group on the right half of the head, and their depth."""
    p = mean[landmarks][:, :2]
    brow, arch = p[22], p[24]
    eye, wing, corner = p[45], p[35], p[54]
    lines: dict[str, list[tuple[Array, float]]] = {}
    high = brow[1]
    frown = [(0.42, high - 0.7), (0.5, high + 0.1), (0.4, high + 0.9)]
    lines['frown'] = [(np.array(frown), 1.0)]
    lines['forehead'] = [
        (
            np.array(
                [(0, high), (1.2, high + 0.05), (2.4, high + 0.3), (3.6, high + 0.1)]
            ),
            depth,
        )
        for high, depth in zip(arch[1] + [0.9, 1.6, 2.3], (0.8, 1.0, 0.7), strict=True)
    ]
    bridge = (p[27] + p[28])[1] / 2
    lines['nose'] = [
        (np.array([(0.15, bridge + d), (0.9, bridge + d - 0.5)]), 0.9)
        for d in (0.25, -0.25)
    ]
    lines['cheek'] = [
        (
            np.array(
                [
                    wing + (0.3, 0.25), wing + (0.75, -0.25),
                    (corner[0] + 0.45, corner[1] + 1.0),
                    (corner[0] + 0.75, corner[1] + 0.1),
                ]
            ),
            1.0,
        )
    ]  # fmt: skip
    lines['crow'] = [
        (np.array([eye + (0.45, d / 3), eye + (1.5, d)]), 0.8)
        for d in (0.5, 0.0, -0.55)
    ]
    return lines


def _distance(points: Array, line: Array) -> Array:
    """Distance of points (n, 2) from a polyline (m, 2)."""
    best = np.full(len(points), np.inf)
    for a, b in itertools.pairwise(line):
        t = np.clip((points - a) @ (b - a) / ((b - a) ** 2).sum(), 0, 1)
        best = np.minimum(best, np.hypot(*(points - a - t[:, None] * (b - a)).T))
    return best


def wrinkle_masks(
    mean: Array, landmarks: Array, names: tuple[str, ...]
) -> tuple[Array, Array]:
    """Return where the skin gets darker, and by which shapes.

    Args:
        mean: Vertices of the skin of the mean head, ``(n, 3)``.
        landmarks: Vertices of the 68 landmarks of Multi-PIE.
        names: Names of the shapes.

    Returns:
        Depth of each group on each side, ``(g, n)`` float32, below 0 on ridges; and the
        strength of each group by shape, ``(g, k)`` float32.
    """
    masks, strengths = [], []
    for group, lines in _lines(mean, landmarks).items():
        for side, sign in (('_L', 1), ('_R', -1)):
            points = mean[:, :2] * (sign, 1)
            mask = np.zeros(len(mean))
            for line, depth in lines:
                away = _distance(points, line) / LINE
                ridge = RIDGE * np.exp(-((away - 2) ** 2))
                mask += depth * (np.exp(-(away**2)) - ridge)
            mask *= np.clip(points[:, 0] / 0.2 + 1, 0, 1)
            strength = np.zeros(len(names))
            for shape, share in LINES[group].items():
                strength[names.index(shape + side)] = share
            masks.append(mask)
            strengths.append(strength)
    return np.float32(masks), np.float32(strengths)
