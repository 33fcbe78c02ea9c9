"""Pictures of a set: each person's photo, fit and expressions, and strips of clips."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from .actions import LABELS, PROTOTYPES, Shapes, units_of
from .heads import DRAWN
from .landmarks import Anchors
from .portrait import Portrait
from .raster import draw_triangles, vertex_normals
from .render import View, draw_person

Array = np.ndarray

#: People, clips and frames of a clip in the pictures; edge of a picture in pixels.
PEOPLE, CLIPS, FRAMES, EDGE = 12, 28, 8, 128
#: Height that a picture of a person shows, in units of the head model.
SHOWN = 27.0
#: The variant of a class that a picture of a person shows, if it is not the first.
SHEET = {'Happy': 4, 'Angry': 4, 'Disgust': 6}


def person_row(
    portrait: Portrait, shapes: Shapes, photo: Array, anchors: Anchors
) -> Array:
    """Return photo, fitted head and all classes, ``(EDGE, 9 * EDGE, 3)`` uint8 RGB."""
    fit = portrait.fit
    scale = EDGE / SHOWN
    # The photo as the fitted head is drawn: its origin in the middle of the picture.
    zoom = scale / fit.scale
    shift = EDGE / 2 - zoom * fit.offset
    matrix = np.array([[zoom, 0, shift[0]], [0, zoom, shift[1]]])
    blurred = cv2.GaussianBlur(photo, (0, 0), 0.45 / zoom)
    seen = cv2.warpAffine(blurred, matrix, (EDGE, EDGE), borderMode=1)
    marked = seen.copy()
    for x, y in anchors.targets * zoom + shift:
        cv2.circle(marked, (round(x), round(y)), 1, (255, 40, 40), -1, cv2.LINE_AA)
    front = View((0, 0, 0), (0, 0), scale, 60.0, np.array([0, 0, 1.0]), 0.0, np.ones(3))
    wall = np.full((EDGE, EDGE, 3), 0.75, np.float32)
    row = [marked, _shaded(portrait, seen, zoom, shift)]
    for label in LABELS:
        units = units_of(PROTOTYPES[label][SHEET.get(label, 0)])
        weights = shapes.combine({unit: 0.95 * grade for unit, grade in units.items()})
        image, _ = draw_person(portrait, weights, front, wall)
        row.append((255 * np.clip(image, 0, 1)).astype(np.uint8))
    return np.concatenate(row, 1)


def _shaded(portrait: Portrait, photo: Array, zoom: float, shift: Array) -> Array:
    """The fitted head without texture, over the photo."""
    turned = portrait.points[: len(DRAWN)]
    pixels = portrait.fit.project(turned) * zoom + shift
    points = np.concatenate([pixels, turned[:, 2:]], 1).astype(np.float32)
    face, _, mouth, eyes = portrait.triangles
    light = np.array([0.35, 0.35, 0.87], np.float32)
    bright = 0.25 + 0.7 * np.clip(vertex_normals(turned, face) @ light, 0, None)
    image = photo.astype(np.float32) / 255
    depth = np.full(image.shape[:2], -1e3, np.float32)
    shade = np.repeat(bright[:, None], 3, 1).astype(np.float32)
    uv = np.zeros((len(points), 2), np.float32)
    white = np.ones((1, 1, 4), np.float32)
    draw_triangles(image, depth, points, face, white, uv, shade)
    colors = portrait.colors[: len(DRAWN)]
    draw_triangles(image, depth, points, mouth, white, uv, colors)
    draw_triangles(image, depth, points, eyes, portrait.eyes, portrait.eye_uv, colors)
    return (255 * np.clip(image, 0, 1)).astype(np.uint8)


def write_sheets(root: Path, rows: list[Path], clips: list[tuple[Path, str]]) -> None:
    """Write ``people.jpg`` and ``clips.jpg``.

    Args:
        root: Folder of the set.
        rows: Pictures of people, from :func:`person_row`.
        clips: Folders of clips with the name of their class.
    """
    pictures = [cv2.imread(str(path)) for path in rows]
    if pictures:
        cv2.imwrite(str(root / 'people.jpg'), np.concatenate(pictures))
    strips = []
    for folder, name in clips:
        count = len(list(folder.iterdir()))
        numbers = np.linspace(1, count, min(FRAMES, count)).round().astype(int)
        images = [cv2.imread(str(folder / f'{i}.jpg')) for i in numbers]
        strip = np.concatenate(images, 1)
        place = 3, strip.shape[0] - 5
        for color, width in (((0, 0, 0), 3), ((255, 255, 255), 1)):
            cv2.putText(strip, name, place, 0, 0.4, color, width, cv2.LINE_AA)
        strips.append(strip)
    half = len(strips) // 2
    columns = [strips[:half], strips[half : 2 * half]] if half else [strips]
    page = np.concatenate([np.concatenate(column) for column in columns], 1)
    cv2.imwrite(str(root / 'clips.jpg'), page)
