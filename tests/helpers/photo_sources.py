"""Small copies of the sources of tools/data/make_photo_faces.py."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import numpy as np
from scipy.spatial import Delaunay

from tests.helpers.golden import ROOT

PORTRAITS = ROOT / 'tests' / 'data' / 'portraits'
#: The face of Multi-PIE's 68 landmarks, x and y in cm, the right half as seen.
JAW = [(9, 4.5), (9, 2), (8.8, -1), (8.4, -4), (7.6, -7), (6.3, -9.2), (4.5, -11)]
JAW += [(2.4, -12)]
BROW = [(1.6, 5.2), (2.9, 6.0), (4.4, 6.1), (5.7, 5.6), (6.7, 4.7)]
EYE = [(1.9, 3.2), (2.6, 3.8), (3.9, 3.8), (4.7, 3.2), (3.9, 2.8), (2.6, 2.8)]
OUTER = [(2.8, -6.2), (1.6, -5.5), (0.6, -5.2)]
SHAPES = (
    'browDown',
    'browInnerUp',
    'cheekSquint',
    'eyeBlink',
    'mouthFrown',
    'mouthSmile',
)


def shape_names() -> tuple[str, ...]:
    """Return the names of all shapes that the tool moves, of both sides each.

    The tool's folder must be on the path.
    """
    from photo_faces.actions import FURTHER_UNITS, UNITS

    shapes = {shape for unit in (UNITS | FURTHER_UNITS).values() for shape in unit}
    shapes |= {'eyeLookIn', 'eyeLookOut', 'eyeLookUp', 'eyeLookDown'}
    return tuple(f'{shape}{side}' for shape in sorted(shapes) for side in ('_L', '_R'))


def multi_pie() -> np.ndarray:
    """Return 68 landmarks ``(68, 2)``, y up."""

    def left(points):
        return [(-x, y) for x, y in points]

    jaw = left(JAW) + [(0.0, -12.4), *reversed(JAW)]
    brows = left(reversed(BROW)) + BROW
    nose = [(0, 3.0), (0, 1.6), (0, 0.2), (0, -1.0)]
    nose += [(-1.4, -2.2), (-0.7, -2.5), (0, -2.6), (0.7, -2.5), (1.4, -2.2)]
    # Each eye from its left corner over the upper lid.
    first = [(-x, y) for x, y in (EYE[3], EYE[2], EYE[1], EYE[0], EYE[5], EYE[4])]
    lips = left(OUTER) + [(0, -5.35), (0.6, -5.2), (1.6, -5.5), (2.8, -6.2)]
    lips += [(1.6, -7.2), (0.6, -7.5), (0, -7.55), (-0.6, -7.5), (-1.6, -7.2)]
    inner = [(-2.4, -6.2), (-0.8, -6.1), (0, -6.1), (0.8, -6.1), (2.4, -6.2)]
    inner += [(0.8, -6.3), (0, -6.3), (-0.8, -6.3)]
    return np.array([*jaw, *brows, *nose, *first, *EYE, *lips, *inner], float)


def write_heads(folder: Path) -> None:
    """Write a head with the vertices of ICT-FaceKit's, two modes and few shapes."""
    from photo_faces import heads
    from photo_faces.actions import UNITS
    from photo_faces.wrinkles import MOVES

    rng = np.random.default_rng(0)
    points = np.zeros((heads.USED, 3))
    marks = multi_pie()
    skin, used = 6706, np.unique(heads.LANDMARKS)
    turn = rng.uniform(0, 2 * np.pi, heads.HEAD.stop)
    away = np.sqrt(rng.uniform(0, 1, heads.HEAD.stop))
    points[: heads.HEAD.stop, 0] = 9.5 * away * np.cos(turn)
    points[: heads.HEAD.stop, 1] = 13.0 * away * np.sin(turn)
    points[heads.LANDMARKS, :2] = marks

    def height(xy: np.ndarray) -> np.ndarray:
        ball = 1 - (xy[:, 0] / 11.5) ** 2 - (xy[:, 1] / 15.0) ** 2
        nose = 2.0 * np.exp(-(xy[:, 0] ** 2) - ((xy[:, 1] + 1.5) / 1.5) ** 2)
        return 11.0 * np.sqrt(np.clip(ball, 0.01, 1)) + nose

    points[: heads.HEAD.stop, 2] = height(points[: heads.HEAD.stop, :2])
    points[skin : heads.HEAD.stop] *= (1.05, 1.05, 0.2)  # the back of the head
    for part, depth in ((heads.MOUTH, 6.0), (heads.GUMS, 7.0), (heads.TEETH, 7.5)):
        count = part.stop - part.start
        flat = rng.uniform((-2.5, -8), (2.5, -5), (count, 2))
        points[part] = np.concatenate([flat, np.full((count, 1), depth)], 1)
    for eye, x in zip(heads.EYES, (-3.3, 3.3), strict=True):
        ball = rng.normal(size=(eye.stop - eye.start, 3))
        ball[:, 2] = abs(ball[:, 2])
        ball *= 1.4 / np.linalg.norm(ball, axis=1, keepdims=True)
        points[eye] = ball + (x, 3.3, 8.0)
    for iris, x in zip(heads.IRISES, (-3.3, 3.3), strict=True):
        ring = rng.normal(0, 0.3, (iris.stop - iris.start, 2))
        points[iris] = np.column_stack([ring + (x, 3.3), np.full(len(ring), 9.4)])

    faces = []
    parts = (slice(0, skin), heads.MOUTH, heads.GUMS, *heads.FRONT_TEETH, *heads.EYES)
    for part in parts:
        made = Delaunay(points[part, :2]).simplices + part.start
        a, b, c = (points[made[:, k], :2] for k in range(3))
        turned = np.cross(b - a, c - a) < 0
        made[turned] = made[turned][:, ::-1]
        if part.start == 0:
            middle = points[made, :2].mean(1)
            made = made[~_in_openings(middle, marks)]
        faces.append(made)
    triangles = np.concatenate(faces)

    folder.mkdir(parents=True)
    _write(folder / heads.MESH, points, triangles)
    near = np.zeros(heads.USED, bool)
    near[: heads.HEAD.stop] = True
    for i, scale in enumerate(((0.06, 0, 0), (0, 0.06, 0))):
        moved = points + near[:, None] * points * scale
        _write(folder / f'identity{i:03d}.obj', moved, triangles)
    centers = dict(zip(SHAPES, ((4, 5.5), (2, 5.5), (3.3, 3.8), (3.3, 3.8), (2.8, -6.2),
                                (2.8, -6.2)), strict=True))  # fmt: skip
    moves = dict(zip(SHAPES, (-0.6, 0.6, -1.0, -0.9, -0.8, 0.8), strict=True))
    for name in SHAPES:
        for side, sign in (('_L', 1), ('_R', -1)):
            x, y = centers[name]
            squares = ((points[:, :2] - (sign * x, y)) ** 2).sum(1)
            moved = points.copy()
            moved[:skin, 1] += (moves[name] * np.exp(-squares / 1.5))[:skin]
            _write(folder / f'{name}{side}.obj', moved, triangles)
    moved = points.copy()
    lower = used[points[used, 1] < -6.25]
    moved[:skin, 1] -= 1.5 * (points[:skin, 1] < -6.2)
    moved[lower, 1] = points[lower, 1] - 1.5
    _write(folder / 'jawOpen.obj', moved, triangles)
    # The other shapes move nothing.
    single = {
        'jawOpen', 'mouthFunnel', 'mouthLeft', 'mouthPucker', 'mouthRight',
        'mouthRollLower', 'mouthRollUpper', 'mouthShrugLower', 'mouthShrugUpper',
    }  # fmt: skip
    for shape in {shape for unit in UNITS.values() for shape in unit} - set(MOVES):
        for side in ('',) if shape in single else ('_L', '_R'):
            path = folder / f'{shape}{side}.obj'
            if not path.exists():
                os.link(folder / heads.MESH, path)


def _in_openings(middle: np.ndarray, marks: np.ndarray) -> np.ndarray:
    import cv2

    inside = np.zeros(len(middle), bool)
    for first, last in ((36, 42), (42, 48), (60, 68)):
        outline = marks[first:last].astype(np.float32).reshape(-1, 1, 2)
        inside |= [
            cv2.pointPolygonTest(outline, (float(x), float(y)), False) > 0
            for x, y in middle
        ]
    return inside


def _write(path: Path, points: np.ndarray, triangles: np.ndarray) -> None:
    with path.open('w') as file:
        file.write('# a head for tests\n')
        np.savetxt(file, points, 'v %.4f %.4f %.4f')
        file.write('vt 0.5 0.5\n')
        np.savetxt(file, triangles + 1, 'f %d/1 %d/1 %d/1')


def write_photos(folder: Path) -> None:
    """Write a clone of webmorphR.stim with two people, one of whom smiles, too."""
    for name in ('neutral_front', 'smiling_front'):
        (folder / 'inst' / name).mkdir(parents=True)
    (folder / 'data-raw').mkdir()
    for photo in ('001_03.jpg', '001_03.tem', '022_03.jpg', '022_03.tem'):
        shutil.copy(PORTRAITS / photo, folder / 'inst' / 'neutral_front')
    shutil.copy(PORTRAITS / '001_08.jpg', folder / 'inst' / 'smiling_front')
    (folder / 'data-raw' / 'london_info.csv').write_text(
        'face_id,face_age,face_gender,face_eth\n'
        '001,24,female,white\n022,29,male,white\n'
    )
