"""Read the head model of ICT-FaceKit: a mesh, identity modes and expression shapes.

R. Li et al.: Learning Formation of Physically-Based Face Attributes. CVPR 2020.
https://github.com/ICT-VGL/ICT-FaceKit, MIT license.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ifdd_mmaction.errors import InputError

from .actions import UNITS
from .wrinkles import MOVES, added_shapes

Array = np.ndarray

MESH = 'generic_neutral_mesh.obj'
#: Vertices of the parts of the mesh, first and past the last (README of ICT-FaceKit).
FACE, HEAD = slice(0, 9409), slice(9409, 11248)
MOUTH, GUMS, TEETH = slice(11248, 13294), slice(14062, 17039), slice(17039, 21451)
EYES = slice(21451, 23021), slice(23021, 24591)
IRISES = slice(22221, 23021), slice(23791, 24591)
#: Vertices used; the rest are fluids, shells and lashes of the eyes.
USED = 24591
#: The upper and lower teeth to the second premolars: farther ones come through the
#: cheeks of some heads, and are in the dark.
FRONT_TEETH = slice(17607, 18679), slice(19814, 20884)
#: The first vertex of each of these teeth, and the one past the last.
TOOTH_STARTS = (
    (17607, 17730, 17895, 17991, 18067, 18143, 18219, 18295, 18391, 18556, 18679),
    (19814, 19952, 20079, 20169, 20263, 20349, 20435, 20529, 20619, 20746, 20884),
)
#: Vertices that are drawn: the face within hairline, ears and neck; mouth; eyes.
SKIN = 6706
DRAWN = np.concatenate(
    [
        np.arange(SKIN),
        *(
            np.arange(part.start, part.stop)
            for part in (MOUTH, GUMS, *FRONT_TEETH, *EYES)
        ),
    ]
)
#: Vertices of the 68 landmarks of Multi-PIE (README of ICT-FaceKit).
LANDMARKS = np.array([
    1225, 1888, 1052, 367, 1719, 1722, 2199, 1447, 966, 3661, 4390, 3927, 3924, 2608,
    3272, 4088, 3443, 268, 493, 1914, 2044, 1401, 3615, 4240, 4114, 2734, 2509, 978,
    4527, 4942, 4857, 1140, 2075, 1147, 4269, 3360, 1507, 1542, 1537, 1528, 1518, 1511,
    3742, 3751, 3756, 3721, 3725, 3732, 5708, 5695, 2081, 0, 4275, 6200, 6213, 6346,
    6461, 5518, 5957, 5841, 5702, 5711, 5533, 6216, 6207, 6470, 5517, 5966,
])  # fmt: skip


@dataclass(frozen=True)
class HeadModel:
    """A linear model of heads; lengths in units of about 1 cm, y up, z to the front.

    Attributes:
        mean: Vertices of the mean head, ``(n, 3)`` float32.
        triangles: Vertices of each triangle, counterclockwise from outside,
            ``(m, 3)`` int32.
        identity: Displacements of the identity modes, ``(100, n, 3)`` float32.
        expression: Displacements of the expression shapes, ``(k, n, 3)`` float32.
        names: Names of the expression shapes, sides with ``_L`` and ``_R``.
    """

    mean: Array
    triangles: Array
    identity: Array
    expression: Array
    names: tuple[str, ...]


def read_obj(path: Path, polygons: bool) -> tuple[Array, list[list[int]]]:
    """Return the vertices ``(n, 3)`` and polygons (vertex indexes) of an OBJ file.

    Args:
        path: The file.
        polygons: Whether to read the polygons.

    Raises:
        InputError: If the file cannot be read as OBJ.
    """
    try:
        text = path.read_bytes()
        # Vertices are one block of lines "v x y z", polygons one of lines "f a/i b/j".
        start = text.find(b'\nv ')
        end = min(at for at in (text.find(b'\nvt'), text.find(b'\nf ')) if at > 0)
        block = text[start:end].replace(b'\nv', b'')
        points = np.fromstring(block.decode(), np.float32, sep=' ').reshape(-1, 3)
        lines = text[text.find(b'\nf ') :].splitlines() if polygons else []
        corners = [line[2:].split() for line in lines if line.startswith(b'f ')]
        faces = [[int(one.split(b'/')[0]) - 1 for one in face] for face in corners]
    except (OSError, ValueError) as error:
        raise InputError(f'{path} cannot be read as an OBJ file: {error}') from error
    if not len(points):
        raise InputError(f'{path} has no vertices: it is incomplete, get it again')
    return points, faces


def find_model(folder: Path) -> Path:
    """Return the folder of the OBJ files: the one given, or its ``FaceXModel``.

    Raises:
        InputError: If neither holds the head model.
    """
    for place in (folder, folder / 'FaceXModel'):
        if (place / MESH).is_file():
            return place
    raise InputError(
        f'{folder} holds no {MESH}: --heads must be a clone of ICT-FaceKit, or its '
        'folder FaceXModel'
    )


def model_checksum(folder: Path) -> str:
    """Return the SHA-256 of the OBJ files of the head model, in order of their names.

    Raises:
        InputError: If there is no head model, or a file cannot be read.
    """
    digest = hashlib.sha256()
    try:
        for path in _files(find_model(folder)):
            digest.update(path.read_bytes())
    except OSError as error:
        raise InputError(
            f'{error.filename} cannot be read: {error.strerror}'
        ) from error
    return digest.hexdigest()


def _files(folder: Path) -> list[Path]:
    return sorted(p for p in folder.glob('*.obj') if not p.name.startswith('.'))


def read_model(folder: Path) -> HeadModel:
    """Read the head model from its OBJ files.

    Raises:
        InputError: If a file is missing, damaged, or of another mesh.
    """
    folder = find_model(folder)
    mean, polygons = read_obj(folder / MESH, polygons=True)
    files = _files(folder)
    modes = [p for p in files if p.name.startswith('identity')]
    shapes = [p for p in files if p not in modes and p.name != MESH]
    needed = [f'identity{i:03d}' for i in range(len(modes) or 1)]
    present = {path.stem for path in files}
    used = {shape for unit in UNITS.values() for shape in unit}
    for shape in sorted(used - set(MOVES)):
        sided = shape not in present
        needed += [shape + side for side in ('_L', '_R')] if sided else []
    missing = [name for name in needed if name not in present]
    if missing:
        raise InputError(
            f'{folder} holds no {missing[0]}.obj ({len(missing)} files are missing): '
            'the copy is partial, get it again'
        )
    if len(mean) < USED or not polygons:
        raise InputError(
            f'{folder / MESH} has {len(mean)} vertices and {len(polygons)} polygons: '
            f'the head model has {USED} or more'
        )

    def displacements(paths: list[Path]) -> Array:
        moved = []
        for path in paths:
            points = read_obj(path, polygons=False)[0]
            if len(points) != len(mean):
                raise InputError(
                    f'{path} has {len(points)} vertices, {MESH} has {len(mean)}: they '
                    'must be of one version of the head model'
                )
            moved.append((points - mean)[:USED])
        return np.stack(moved)

    added = added_shapes(mean[:USED], LANDMARKS)
    moved = np.stack(list(added.values()))
    return HeadModel(
        mean=mean[:USED],
        triangles=_drawn_triangles(polygons),
        identity=displacements(modes),
        expression=np.concatenate([displacements(shapes), moved]),
        names=(*(p.stem for p in shapes), *added),
    )


def _drawn_triangles(polygons: list[list[int]]) -> Array:
    fans = [(p[0], p[i], p[i + 1]) for p in polygons for i in range(1, len(p) - 1)]
    triangles = np.array(fans, np.int32)
    triangles = triangles[(triangles < USED).all(1)]
    first = triangles.min(1)
    teeth = (first >= TEETH.start) & (first < TEETH.stop)
    front = [
        (triangles >= part.start).all(1) & (triangles < part.stop).all(1)
        for part in FRONT_TEETH
    ]
    # Eye sockets lie behind the eyes and are never seen.
    sockets = (first >= MOUTH.stop) & (first < GUMS.start)
    return triangles[(~teeth | front[0] | front[1]) & ~sockets]


def save_model(model: HeadModel, path: Path) -> None:
    """Write a model to an ``.npz`` file that :func:`load_model` reads quickly."""
    with path.open('wb') as file:
        np.savez(
            file, mean=model.mean, triangles=model.triangles, identity=model.identity,
            expression=model.expression, names=np.array(model.names),
        )  # fmt: skip


def load_model(path: Path) -> HeadModel:
    """Read a model that :func:`save_model` wrote."""
    with np.load(path, allow_pickle=False) as saved:
        return HeadModel(
            saved['mean'], saved['triangles'], saved['identity'], saved['expression'],
            tuple(map(str, saved['names'])),
        )  # fmt: skip
