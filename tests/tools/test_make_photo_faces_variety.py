"""What --variety and --hands add to the clips of photographed faces."""

import numpy as np
import pytest

from tests.helpers.golden import load_tool

pytest.importorskip('numba', reason='numba is not installed')
load_tool('data/make_photo_faces.py')  # its folder is on the path now

from photo_faces import actions, script, variety  # noqa: E402
from photo_faces.hand import AWAY, Hand  # noqa: E402

from tests.helpers.photo_sources import shape_names  # noqa: E402

NAMES = shape_names()
SHAPES = actions.Shapes(NAMES, (1.0, 1.0))


def write(seed: int, label: int, share: float | None) -> script.Script:
    further = None if share is None else np.random.default_rng([seed, 8])
    return script.write_script(
        np.random.default_rng(seed), SHAPES, label, 16, 0.9, share or 0.0, further
    )


def test_every_unit_of_a_further_variant_is_defined():
    for label, variants in variety.FURTHER.items():
        assert label in actions.LABELS and label != 'Neutral'
        assert not set(variants) & set(actions.PROTOTYPES[label])
        for variant in variants:
            units = actions.units_of(variant)
            assert set(units) <= set(actions.UNITS | actions.FURTHER_UNITS)


@pytest.mark.parametrize('label', range(7))
def test_variety_changes_the_expression_and_nothing_else(label):
    variants = set()
    for seed in range(30):
        before, after = write(seed, label, None), write(seed, label, 1.0)
        assert np.array_equal(before.angles, after.angles)
        assert np.array_equal(before.strength, after.strength)
        assert np.array_equal(before.shift, after.shift)
        assert before.drawn | {'variant': ''} == after.drawn | {'variant': ''}
        assert (after.weights >= -0.4).all() and (after.weights <= 1.8).all()
        changed = not np.array_equal(before.weights, after.weights)
        # A neutral face is changed by closed eyes alone.
        lids = [i for name, i in SHAPES.index.items() if name.startswith('eye')]
        rest = np.delete(before.weights - after.weights, lids, axis=1)
        assert changed if label != actions.NEUTRAL else not rest.any()
        variants.add(after.drawn['variant'])
    known = variety.FURTHER.get(actions.LABELS[label], ('-',))
    assert variants <= set(known) and len(variants) > len(known) / 2


def test_who_weeps_closes_the_eyes():
    closing = [SHAPES.index['eyeBlink_L'], SHAPES.index['eyeBlink_R']]
    closed = []
    for seed in range(100):
        made = write(seed, actions.LABELS.index('Sad'), 1.0)
        if made.drawn['variant'].endswith('43'):
            apex = made.strength.argmax()
            closed.append(made.weights[apex, closing].min() > 0.9)
    # Each unit beyond the first two is missing in a few clips.
    assert len(closed) > 15 and np.mean(closed) > 1 - 3 * actions.MISSING


def test_people_show_an_expression_in_ways_of_their_own():
    smile = SHAPES.combine({'6': 1.0, '12': 1.0})
    ways = np.stack(
        [
            variety.draw_style(np.random.default_rng(seed), SHAPES, smile)
            for seed in range(200)
        ]
    )
    assert ((ways > 0)[:, smile > 0]).all()  # what smiles goes on smiling
    factors = ways[:, SHAPES.index['cheekSquint_L']] / smile.max()
    assert 0.5 * variety.SPREAD < np.log(factors).std() < 2 * variety.SPREAD
    # Both sides of the face are moved alike.
    left = [i for name, i in SHAPES.index.items() if name.endswith('_L')]
    right = [i for name, i in SHAPES.index.items() if name.endswith('_R')]
    assert np.allclose(ways[:, left], ways[:, right])
    # Neighbors move a little, and neither eyes that look away nor an open jaw.
    added = ways[:, smile == 0].max(axis=0)
    names = np.array(NAMES)[smile == 0]
    apart = np.array([name.startswith(variety.APART) for name in names])
    assert not added[apart].any() and 0 < added[~apart].max() <= variety.NEIGHBOR * 1.1
    nothing = np.zeros(len(NAMES), np.float32)
    rng = np.random.default_rng(0)
    assert not variety.draw_style(rng, SHAPES, nothing).any()


def test_eyes_close_for_a_while_in_some_clips():
    closed = np.stack(
        [variety.draw_closure(np.random.default_rng(s), 16) for s in range(400)]
    )
    share = (closed.max(axis=1) > 0.5).mean()
    assert 0.5 * variety.CLOSED < share < 1.5 * variety.CLOSED
    assert closed.min() == 0 and closed.max() <= 1


def test_a_hand_hides_a_part_of_the_face_and_takes_its_color():
    edge, scale = 96, 4.0
    y, x = np.mgrid[:edge, :edge]
    skin = np.array([0.8, 0.5, 0.4], np.float32)
    image = np.zeros((edge, edge, 3), np.float32)
    image[...] = (0.0, 0.0, 1.0)
    inside = (x - 48) ** 2 + (y - 48) ** 2 < 30**2
    image[inside] = skin
    face = np.stack([x[inside], y[inside]], axis=1).astype(np.float32)
    shares = []
    for seed in range(40):
        hand = Hand(np.random.default_rng(seed), 16)
        i = int(hand.tips[:, 1].argmax())  # where it is highest
        before = image.copy()
        covered = hand.cover(image, face, scale, i)
        assert np.array_equal(image, before)  # the frame is not changed in place
        assert covered.dtype == np.float32 and 0 <= covered.min() <= covered.max() <= 1
        # The room is blue, the hand is not, nor its shadow more than a little.
        hidden = inside & (np.abs(covered - image).max(axis=2) > 0.05)
        shares.append(hidden[inside].mean())
        outside = ~inside & (covered[..., 0] > 0.2)
        assert outside.any()  # it comes from below
        assert (covered[outside][:, 0] > covered[outside][:, 2] - 0.35).all()
        hand.tips[:, 1] -= 2 * AWAY
        away = hand.cover(image, face, scale, i)
        assert np.abs(away - image).max() < 0.02
    assert 0.05 < np.mean(shares) < 0.7
    # A face out of the frame: the frame as it is.
    assert hand.cover(image, face + 500, scale, 0) is image
