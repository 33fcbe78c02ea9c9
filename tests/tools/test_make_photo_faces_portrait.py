"""A portrait of the tool for photographed faces: teeth, lids, lines, other shapes."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from tests.helpers.golden import load_tool

pytest.importorskip('numba', reason='numba is not installed')
load_tool('data/make_photo_faces.py')  # its folder is on the path now

from photo_faces import actions, codec  # noqa: E402
from photo_faces.actions import Shapes  # noqa: E402
from photo_faces.eyes import lid_colors  # noqa: E402
from photo_faces.heads import (  # noqa: E402
    FRONT_TEETH,
    LANDMARKS,
    SKIN,
    HeadModel,
    read_model,
)
from photo_faces.landmarks import read_template, template_anchors  # noqa: E402
from photo_faces.mixing import mix_skin  # noqa: E402
from photo_faces.paint import drawn_part  # noqa: E402
from photo_faces.people import read_photo  # noqa: E402
from photo_faces.portrait import Portrait, build_portrait, change_shape  # noqa: E402
from photo_faces.render import View, draw_person  # noqa: E402

from tests.helpers.photo_sources import write_heads, write_photos  # noqa: E402

EDGE = 160


@pytest.fixture(scope='module')
def model(tmp_path_factory: pytest.TempPathFactory) -> HeadModel:
    folder = tmp_path_factory.mktemp('heads') / 'FaceXModel'
    write_heads(folder)
    return read_model(folder)


def fit(model: HeadModel, folder: Path, name: str) -> Portrait:
    photo = folder / 'inst' / 'neutral_front' / name
    anchors = template_anchors(read_template(photo.with_suffix('.tem')))
    return build_portrait(model, read_photo(photo), anchors, np.random.default_rng(0))


@pytest.fixture(scope='module')
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp('photos')
    write_photos(folder)
    return folder


@pytest.fixture(scope='module')
def portrait(model: HeadModel, photos: Path) -> Portrait:
    return fit(model, photos, '001_03.jpg')


def draw(portrait: Portrait, weights: np.ndarray, lines: float = 0.0) -> np.ndarray:
    front = np.array([0, 0, 1.0])
    view = View((0, 0, 0), (0, 0), EDGE / 30, 60.0, front, 0.0, np.ones(3), lines)
    room = np.full((EDGE, EDGE, 3), 0.5, np.float32)
    return draw_person(portrait, weights, view, room)[0]


def patch(portrait: Portrait, landmarks: list[int], image: np.ndarray) -> np.ndarray:
    """Brightness of the pixels about landmarks."""
    x, y = (EDGE / 30 * portrait.points[LANDMARKS[landmarks], :2].mean(0)).tolist()
    i, j = round(EDGE / 2 - y), round(EDGE / 2 + x)
    return image[i - 2 : i + 3, j - 2 : j + 3].mean(2)


def test_teeth_stand_at_the_lips(portrait: Portrait) -> None:
    """Edges of the upper teeth lie below the line between the lips of any photo."""
    lips = portrait.points[LANDMARKS[[62, 66]], 1].mean()
    upper = portrait.points[: len(drawn_part(FRONT_TEETH[0]))][
        drawn_part(FRONT_TEETH[0])
    ]
    assert 0.3 < lips - upper[:, 1].min() < 0.7


def test_eyes_close(portrait: Portrait, model: HeadModel) -> None:
    shapes = Shapes(model.names, portrait.blink)
    open_eye = draw(portrait, np.zeros(len(model.names), np.float32))
    closed = draw(portrait, shapes.unit('45'))
    skin = patch(portrait, [29, 30], open_eye).mean()
    for eye in ([37, 38, 40, 41], [43, 44, 46, 47]):
        darkest = [patch(portrait, eye, one).min() for one in (open_eye, closed)]
        assert darkest[0] < 0.68 * skin and darkest[1] > darkest[0] + 0.08


def test_closed_lids_have_the_color_of_skin() -> None:
    """The shadow of the crease is not stretched over the lid; the lashes stay."""
    texture = np.full((200, 200, 3), 0.6, np.float32)
    texture[84:94] = 0.2  # crease and lashes, above eyes at a height of 0.5
    uv = np.full((LANDMARKS.max() + 200, 2), 0.9, np.float32)
    uv[LANDMARKS[17:27]] = np.column_stack(
        [np.linspace(0.2, 0.8, 10), np.full(10, 0.3)]
    )
    lids = LANDMARKS.max() + 1 + np.arange(2 * 99).reshape(2, 99)
    moved = np.zeros((2, len(uv)), np.float32)
    far = np.linspace(0, 1, 99)
    for eye, x in enumerate((0.35, 0.65)):
        uv[lids[eye]] = np.column_stack([np.full(99, x), 0.39 + 0.08 * far])
        moved[eye, lids[eye]] = far
    gains, lifts = lid_colors(texture, uv, moved)
    for eye in range(2):
        at = uv[lids[eye]] + lifts[eye, lids[eye]]
        row, column = np.int32(200 * at[:, 1]), np.int32(200 * at[:, 0])
        color = texture[row, column] * (1 + gains[eye, lids[eye]])
        assert np.allclose(color[(far > 0.65) & (far < 0.85)], 0.6, atol=0.1)
        assert (
            not gains[eye, lids[eye][-1]].any() and not lifts[eye, lids[eye][-1]].any()
        )
        assert not gains[eye, lids[1 - eye]].any()


def test_frowning_draws_brows_together_and_lines(
    portrait: Portrait, model: HeadModel
) -> None:
    weights = Shapes(model.names, portrait.blink).unit('4')
    moved = (weights @ portrait.expression).reshape(-1, 3)
    left, right = moved[LANDMARKS[21]], moved[LANDMARKS[22]]
    assert left[0] > 0.1 > -0.1 > right[0]  # toward each other
    assert left[1] < -0.2 and right[1] < -0.2
    smooth, lined = draw(portrait, weights), draw(portrait, weights, lines=1.0)
    assert lined.min() >= 0 and smooth.shape == lined.shape
    darker = (smooth - lined).max(2)
    assert darker.max() > 0.05
    # Only between the brows.
    i, _ = np.nonzero(darker > 0.03)
    nose = EDGE / 2 - EDGE / 30 * portrait.points[LANDMARKS[30], 1]
    assert i.max() < nose


def test_other_shapes_of_a_face(portrait: Portrait, model: HeadModel) -> None:
    rng = np.random.default_rng(1)
    other = change_shape(portrait, model.names, rng, 1.0)
    moved = np.linalg.norm((other.points - portrait.points)[:SKIN], axis=1)
    assert moved.max() > 0.1
    assert other.uv is portrait.uv and other.textures is portrait.textures
    # At rest the light is that of the photo: the change is no expression.
    rest = np.zeros(len(model.names), np.float32)
    first, second = draw(portrait, rest), draw(other, rest)
    nose = patch(portrait, [30], first).mean(), patch(other, [30], second).mean()
    assert abs(nose[0] - nose[1]) < 0.1
    same = change_shape(portrait, model.names, rng, 0.0)
    assert np.allclose(same.points, portrait.points, atol=1e-5)


def test_mixed_skin(portrait: Portrait, model: HeadModel, photos: Path) -> None:
    """Brows, lips and skin of another person, in the colors of this one's face."""
    other = fit(model, photos, '022_03.jpg')
    same, half, all_of_it = (mix_skin(portrait, other, s) for s in (0, 0.5, 1))
    rest = np.zeros(len(model.names), np.float32)
    faces = [draw(one, rest) for one in (portrait, same, half, all_of_it)]
    assert np.abs(faces[1] - faces[0]).max() < 0.02
    changed = [np.abs(face - faces[0]).max(2) for face in faces[2:]]
    assert changed[0].max() > 0.05
    assert np.allclose(2 * changed[0], changed[1], atol=0.05)
    # Hair and clothes remain, and there is no step at the border of the face.
    step = np.abs(all_of_it.textures[0] - portrait.textures[0]).max(2)
    edge = len(step) // 8
    outside = np.ones(step.shape, bool)
    outside[edge:-edge, edge:-edge] = False
    assert not step[outside].any()
    inside = (step > 0).astype(np.uint8)
    border = (inside > 0) & (cv2.erode(inside, np.ones((9, 9), np.uint8)) == 0)
    assert step[border].mean() < 0.2 * step[inside > 0].mean()
    # The color of the face is that of its person on average.
    face = changed[1] > 0.02
    assert np.allclose(faces[3][face].mean(0), faces[0][face].mean(0), atol=0.04)
    # What differs from the average is that of the other one.
    x, y = np.abs(portrait.points[:SKIN, :2] + (0, 1.5)).T
    middle = np.flatnonzero((x < 4) & (y < 5))
    seen = other.solid[0][..., :3].mean(2)
    own = portrait.solid[0][..., :3].mean(2)
    made = all_of_it.solid[0][..., :3].mean(2)

    def pattern(texture: np.ndarray, person: Portrait) -> np.ndarray:
        column, row = (person.uv[middle] * len(texture)).astype(int).T
        values = texture[row, column]
        return (values - values.mean()) / values.std()

    mixed = pattern(made, portrait)
    assert (mixed @ pattern(seen, other)) > (mixed @ pattern(own, portrait))


def test_rest_differs_in_both_directions(model: HeadModel) -> None:
    shapes = Shapes(model.names, (1.0, 1.0))
    rests = np.stack(
        [actions.draw_rest(np.random.default_rng(i), shapes) for i in range(200)]
    )
    for name in ('mouthSmile_L', 'browDown_R', 'browInnerUp_L'):
        column = rests[:, shapes.index[name]]
        assert (column > 0.03).mean() > 0.2 and (column < -0.03).mean() > 0.2
    assert np.abs(rests).max() <= 0.3 + 1e-6


@pytest.mark.parametrize('name', codec.CODECS)
def test_compressed_video(name: str) -> None:
    """As many frames, in their order, coarser at a larger rate, the same each time."""
    ramp = np.mgrid[:64, :64].sum(0).astype(np.uint8)
    rng = np.random.default_rng(0)
    noise = rng.integers(0, 60, (64, 64), np.uint8)
    frames = [np.dstack([ramp + noise + 4 * i] * 3).astype(np.uint8) for i in range(16)]
    errors = []
    for rate in codec.RATES[name]:
        seen = codec.compress_video(frames, name, rate)
        assert [one.shape for one in seen] == [(64, 64, 3)] * 16
        assert [one.tolist() for one in codec.compress_video(frames, name, rate)] == [
            one.tolist() for one in seen
        ]
        assert (np.diff([one.mean() for one in seen]) > 0.5).all()
        pairs = zip(seen, frames, strict=True)
        errors.append(np.mean([np.abs(np.int32(a) - b).mean() for a, b in pairs]))
    assert 0 < 1.2 * errors[0] < errors[1]
