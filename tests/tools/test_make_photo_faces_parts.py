"""Parts of the tool for photographed faces: triangles, fit, scripts, folds."""

import numpy as np
import pytest

from tests.helpers.golden import load_tool

pytest.importorskip('numba', reason='numba is not installed')
load_tool('data/make_photo_faces.py')  # its folder is on the path now

from photo_faces import actions, people, script  # noqa: E402
from photo_faces.fit import fit_head, rotation_matrix  # noqa: E402
from photo_faces.heads import LANDMARKS, HeadModel  # noqa: E402
from photo_faces.landmarks import Anchors  # noqa: E402
from photo_faces.raster import draw_triangles, vertex_normals  # noqa: E402

from tests.helpers.photo_sources import multi_pie, shape_names  # noqa: E402


def draw(points, triangles, texture, uv, shade=None, edge=8):
    image = np.zeros((edge, edge, 3), np.float32)
    depth = np.full((edge, edge), -10, np.float32)
    points = np.array(points, np.float32)
    shade = np.ones((len(points), 3), np.float32) if shade is None else shade
    draw_triangles(
        image, depth, points, np.array(triangles, np.int32),
        np.array(texture, np.float32), np.array(uv, np.float32), shade,
    )  # fmt: skip
    return image, depth


WHITE = np.ones((1, 1, 4), np.float32)
#: Counterclockwise as seen, with y down: (0, 0), (0, 8), (8, 8), (8, 0).
SQUARE = [(0, 0, 0), (0, 8, 0), (8, 8, 0), (8, 0, 0)]
HALVES = [(0, 1, 2), (0, 2, 3)]


def test_two_triangles_fill_a_square_once():
    image, depth = draw(SQUARE, HALVES, WHITE, np.zeros((4, 2)))
    assert (image == 1).all() and (depth == 0).all()
    # Half covered: a pixel drawn twice would be brighter.
    half = np.full((1, 1, 4), 0.4, np.float32)
    half[..., :3] = 1
    image, depth = draw(SQUARE, HALVES[:1], half, np.zeros((4, 2)))
    inside = np.tril(np.ones((8, 8), bool))
    assert np.allclose(image[inside], 0.4, atol=1e-6) and not image[~inside].any()
    assert (depth == -10).all()  # coverage below one half hides nothing


def test_the_nearest_triangle_is_seen_in_any_order():
    points = [*SQUARE, *((x, y, 1 - x / 4) for x, y, _ in SQUARE)]
    shade = np.repeat(np.float32([[1, 0, 0], [0, 1, 0]]), 4, 0)
    triangles = [*HALVES, *((a + 4, b + 4, c + 4) for a, b, c in HALVES)]
    uv = np.zeros((8, 2))
    first, _ = draw(points, triangles, WHITE, uv, shade)
    second, _ = draw(points, triangles[::-1], WHITE, uv, shade)
    assert np.array_equal(first, second)
    # The second square lies in front on the left half only.
    assert (first[:, :4] == (0, 1, 0)).all() and (first[:, 4:] == (1, 0, 0)).all()


def test_triangles_that_face_away_are_not_drawn():
    image, _ = draw(SQUARE, [(2, 1, 0), (3, 2, 0)], WHITE, np.zeros((4, 2)))
    assert not image.any()


def test_texture_is_interpolated():
    texture = np.ones((8, 8, 4), np.float32)
    texture[..., 0] = np.arange(8) / 8
    texture[..., 1] = np.arange(8)[:, None] / 8
    image, _ = draw(SQUARE, HALVES, texture, np.array(SQUARE)[:, :2])
    assert np.allclose(image, texture[..., :3], atol=1e-5)


def test_normals_of_a_slope():
    points = np.array([(0, 0, 0), (1, 0, 0), (1, 1, 1), (0, 1, 1)], np.float32)
    normals = vertex_normals(points, np.array([(0, 1, 2), (0, 2, 3)], np.int32))
    assert np.allclose(normals, np.array([0, -1, 1]) / np.sqrt(2), atol=1e-6)


def test_fit_finds_pose_and_shape():
    """Landmarks of a known head, turned and moved: the fit returns its numbers."""
    rng = np.random.default_rng(0)
    flat = multi_pie()
    mean = np.zeros((LANDMARKS.max() + 1, 3), np.float32)
    mean[LANDMARKS, :2] = flat
    mean[LANDMARKS, 2] = 10 - (flat**2).sum(1) / 20
    identity = np.zeros((2, *mean.shape), np.float32)
    identity[0, LANDMARKS, 0] = 0.05 * flat[:, 0]
    identity[1, LANDMARKS, 1] = 0.05 * flat[:, 1] * (flat[:, 1] < 0)
    model = HeadModel(mean, np.zeros((0, 3), np.int32), identity, identity, ('a', 'b'))
    chosen, angles = np.array([1.5, -1.0]), np.radians((4, -3, 5))
    head = mean + np.tensordot(chosen, identity, 1)
    turned = head[LANDMARKS] @ rotation_matrix(*angles).T
    pixels = turned[:, :2] * (30, -30) + (400, 500)
    anchors = Anchors(
        vertices=[LANDMARKS[i : i + 1] for i in range(68)],
        targets=pixels + rng.normal(0, 0.3, pixels.shape),
        weights=np.ones(68), lids=(pixels[36:42], pixels[42:48]),
        pupils=pixels[[36, 42]], iris=10.0, outline=pixels[:17], complete=True,
    )  # fmt: skip
    fit = fit_head(model, anchors)
    assert np.allclose(fit.rotation, rotation_matrix(*angles), atol=0.02)
    assert fit.scale == pytest.approx(30, rel=0.02)
    assert fit.error < 0.05 and fit.bent <= fit.error
    seen = fit.project(fit.points[LANDMARKS])
    assert np.abs(seen - pixels).max() < 3


NAMES = shape_names()


@pytest.mark.parametrize('label', range(7))
def test_scripts(label):
    """Every class moves its own units, neutral has no intensity, all stay in bounds."""
    shapes = actions.Shapes(NAMES, (1.0, 1.0))
    timings, talks = set(), set()
    for seed in range(40):
        made = script.write_script(np.random.default_rng(seed), shapes, label, 16)
        assert made.weights.shape == (16, len(NAMES))
        assert (made.weights >= -0.4).all() and (made.weights <= 1.8).all()
        assert (made.strength.max() > 0.2) == (label != actions.NEUTRAL)
        assert np.abs(np.degrees(made.angles)).max() <= 28.1
        timings.add(made.drawn['timing'])
        talks.add(made.drawn['talks'])
    assert talks == {True, False}
    assert len(timings) == (1 if label == actions.NEUTRAL else 4)


def test_few_frames_show_the_expression_and_it_is_as_strong_as_asked_for():
    """Four frames could miss a pulse; the smallest intensity is an option."""
    shapes = actions.Shapes(NAMES, (1.0, 1.0))
    for seed in range(60):
        rng = np.random.default_rng(seed)
        made = script.write_script(rng, shapes, 0, 4, least=0.9)
        assert made.drawn['timing'] != 'pulse'
        assert 0.9 <= made.drawn['intensity'] <= 1
        # Nobody holds an expression still: 0.7 of it at least.
        assert made.strength.max() >= 0.7 * 0.9


def test_every_unit_of_a_prototype_is_defined():
    units = {
        unit
        for variants in actions.PROTOTYPES.values()
        for variant in variants
        for unit in actions.units_of(variant)
    }
    assert units <= set(actions.UNITS)
    assert set(actions.PROTOTYPES) == set(actions.LABELS)


def test_folds_spread_groups_evenly(tmp_path):
    crowd = [
        people.Person(f'{gender}{i}', tmp_path, None, '30', gender, ethnicity)
        for gender in ('female', 'male')
        for ethnicity, count in (('a', 23), ('b', 6))
        for i in range(count * 100, count * 100 + count)
    ]
    fold = people.assign_folds(crowd, 5, 0)
    for gender in ('female', 'male'):
        for ethnicity in 'ab':
            names = [
                p.name for p in crowd if (p.gender, p.ethnicity) == (gender, ethnicity)
            ]
            sizes = np.bincount([fold[name] for name in names], minlength=5)
            assert np.ptp(sizes) <= 1
    assert people.assign_folds(crowd[::-1], 5, 0) == fold
    assert people.assign_folds(crowd, 5, 1) != fold


def test_people_are_mixed_within_their_fold(tmp_path):
    """A face of two folds would be in training and in test."""
    crowd = [people.Person(f'p{i}', tmp_path, None) for i in range(22)]
    fold = people.assign_folds(crowd, 5, 0)
    others = people.choose_others(crowd, fold, 0)
    for person in crowd:
        chosen = others[person.name]
        assert len(set(chosen)) == min(people.OTHERS, 3 + (fold[person.name] < 2))
        assert person not in chosen
        assert {fold[other.name] for other in chosen} == {fold[person.name]}
    assert people.choose_others(crowd, fold, 0) == others
    assert people.choose_others(crowd, fold, 1) != others
