"""Bars of expressions beside the faces of a live video."""

import numpy as np
import pytest

from ifdd_mmaction.visualization.face_painter import DARK
from ifdd_mmaction.visualization.live import LiveAnnotator
from ifdd_mmaction.visualization.style import emotion_colors, rgb
from tests.helpers.figures import DFEW, MAFW

BOX = np.array([250.0, 100, 350, 220])


def count(image, color):
    return int((image == color).all(axis=2).sum())


def draw(shares, box=BOX, size=(640, 360), classes=DFEW, **options):
    frame = np.full((size[1], size[0], 3), 128, np.uint8)
    annotator = LiveAnnotator(classes, size, **options)
    return annotator(frame, [('face 1', shares, box)])


def test_each_class_has_a_bar_as_long_as_its_probability():
    shares = np.array([0.4, 0.2, 0.1, 0.1, 0.1, 0.05, 0.05])
    image = draw(shares)
    panel = image[:, 352:]  # right of the box
    colors = [rgb(color) for color in emotion_colors(DFEW)]
    areas = np.array([count(panel, color) for color in colors])
    assert areas[0] > 1.8 * areas[1] > 0 and (areas > 0).all()


@pytest.mark.parametrize('classes', [DFEW, MAFW])
@pytest.mark.parametrize('box', [
    (0, 0, 90, 90), (550, 270, 640, 360), (-40, -20, 700, 400), (5, 300, 635, 358),
    (9, 9, 19, 19), (630, 350, 640, 360),
])  # fmt: skip
def test_the_panel_is_beside_the_face_and_within_the_frame(classes, box):
    shares = np.full(len(classes), 1 / len(classes))
    image = draw(shares, np.array(box, float), classes=classes)
    only = LiveAnnotator(classes, (640, 360))._draw_panel(shares)
    # All of the panel is visible, wherever its face is.
    assert count(image, DARK) >= count(np.asarray(only), DARK)


def test_before_the_first_prediction_the_face_has_a_name_alone():
    with_bars, without = draw(np.full(7, 1 / 7)), draw(None)
    assert 0 < count(without, DARK) < 0.5 * count(with_bars, DARK)
    assert (without[:, 352:] == 128).all()


def test_a_face_that_is_not_sure_has_no_color_of_a_class():
    shares = np.array([0.4, 0.2, 0.1, 0.1, 0.1, 0.05, 0.05])
    happy = rgb(emotion_colors(DFEW)[0])
    assert count(draw(shares), happy) and not count(
        draw(shares, abstain_below=0.5), happy
    )


def test_narrow_frames_are_enlarged_and_sizes_are_even():
    image = draw(np.full(7, 1 / 7), BOX / 8, (81, 61))
    assert image.shape[1] == 480 and image.shape[0] % 2 == 0


def test_a_panel_is_drawn_again_when_the_probabilities_change():
    frame = np.full((360, 640, 3), 128, np.uint8)
    annotator = LiveAnnotator(DFEW, (640, 360))
    first, second = np.eye(7)[0], np.eye(7)[1]
    images = [annotator(frame, [('a', p, BOX)]) for p in (first, first, second)]
    assert (images[0] == images[1]).all() and (images[1] != images[2]).any()
    assert (
        images[2] == LiveAnnotator(DFEW, (640, 360))(frame, [('a', second, BOX)])
    ).all()
