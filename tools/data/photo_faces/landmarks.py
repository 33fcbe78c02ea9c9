"""Landmarks of photos: template files of WebMorph, or a face detector's five points."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ifdd_mmaction.errors import InputError

from .heads import LANDMARKS

Array = np.ndarray

POINTS = 189
#: Points of a template for each landmark of Multi-PIE (their mean).
TEMPLATE = {
    1: [111], 3: [125], 4: [126], 5: [127], 7: [128], 8: [129], 9: [130], 11: [131],
    12: [132], 13: [133], 15: [114], 17: [71], 18: [72], 19: [74, 83], 20: [75, 84],
    21: [76], 22: [77], 23: [78, 85], 24: [79, 85], 25: [80, 86], 26: [82],
    27: [50, 56], 28: [51, 57], 29: [53, 59], 30: [54, 60], 31: [64], 32: [170],
    33: [55], 34: [172], 35: [69], 36: [18], 37: [19], 38: [21], 39: [22], 40: [30],
    41: [28], 42: [23], 43: [24], 44: [26], 45: [27], 46: [33], 47: [31], 48: [87],
    49: [88], 50: [89], 51: [90], 52: [91], 53: [92], 54: [93], 55: [108], 56: [107],
    57: [106], 58: [105], 59: [104], 61: [95], 62: [96], 63: [97], 65: [102],
    66: [101], 67: [100],
}  # fmt: skip
#: Points of the outlines of eye openings, irises, and what is surely head, in order.
LIDS = [18, 19, 20, 21, 22, 30, 29, 28], [23, 24, 25, 26, 27, 33, 32, 31]
IRISES = list(range(2, 10)), list(range(10, 18))
OUTLINE = [*range(109, 112), *range(125, 134), *range(112, 115), *range(134, 145)]
#: Landmarks on the outline of the jaw: where it is seen depends on the pose.
JAW = 17
#: Landmarks of Multi-PIE whose mean is a point of the detector: eyes, nose, mouth.
FIVE = range(36, 42), range(42, 48), range(30, 31), range(48, 49), range(54, 55)


@dataclass(frozen=True)
class Anchors:
    """Positions in a photo that points of the head model must meet.

    Attributes:
        vertices: For each anchor, the vertices whose mean meets it.
        targets: Positions in the photo, ``(k, 2)``, in pixels.
        weights: Weight of each anchor, ``(k,)``.
        lids: Outlines of the two eye openings, ``(m, 2)`` each, in pixels.
        pupils: Centers of the irises, ``(2, 2)``, in pixels.
        iris: Radius of the irises, in pixels.
        outline: Points around the face, ``(m, 2)``, in pixels.
        complete: Whether there are enough anchors to fit the shape of the face.
    """

    vertices: list[Array]
    targets: Array
    weights: Array
    lids: tuple[Array, Array]
    pupils: Array
    iris: float
    outline: Array
    complete: bool


def read_template(path: Path) -> Array:
    """Return the points ``(189, 2)`` of a template file, in pixels of its photo.

    Raises:
        InputError: If the file is damaged or has another number of points.
    """
    try:
        lines = path.read_text(errors='replace').split('\n')
        count = int(lines[0])
        rows = [[float(one) for one in line.split()] for line in lines[1 : count + 1]]
        points = np.array(rows, float).reshape(count, 2)
    except (OSError, ValueError, IndexError) as error:
        raise InputError(
            f'{path} is not a template of WebMorph (number of points, then x and y of '
            f'each): {error}'
        ) from error
    if count != POINTS:
        raise InputError(
            f'{path} has {count} points: a template must have the {POINTS} of the '
            'London and Canada sets; without the file, five points are detected'
        )
    return points


def template_anchors(points: Array) -> Anchors:
    """Return the anchors of a template ``(189, 2)``."""
    numbers = sorted(TEMPLATE)
    left, right = (points[one] for one in LIDS)
    irises = [points[one] for one in IRISES]
    radius = [np.ptp(one[:, 0]) / 2 for one in irises]
    return Anchors(
        vertices=[LANDMARKS[k : k + 1] for k in numbers],
        targets=np.stack([points[TEMPLATE[k]].mean(0) for k in numbers]),
        weights=np.where(np.array(numbers) < JAW, 0.35, 1.0),
        lids=(left, right),
        pupils=np.stack([one.mean(0) for one in irises]),
        iris=float(np.mean(radius)),
        outline=points[OUTLINE],
        complete=True,
    )


def five_anchors(points: Array) -> Anchors:
    """Return the anchors of a detector's landmarks ``(5, 2)``; see ``Face``."""
    eyes = points[:2]
    distance = float(np.linalg.norm(eyes[1] - eyes[0]))
    angle = np.linspace(0, 2 * np.pi, 12, endpoint=False)
    ring = np.stack([np.cos(angle), np.sin(angle)], 1)
    middle = points.mean(0)
    return Anchors(
        vertices=[LANDMARKS[list(one)] for one in FIVE],
        targets=np.asarray(points, float),
        weights=np.ones(len(points)),
        lids=tuple(eye + distance * ring * (0.22, 0.08) for eye in eyes),
        pupils=eyes,
        iris=0.09 * distance,
        outline=middle + distance * ring * (1.1, 1.6),
        complete=False,
    )
