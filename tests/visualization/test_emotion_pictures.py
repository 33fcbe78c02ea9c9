import numpy as np
import pytest
from matplotlib.colors import same_color

from ifdd_mmaction.visualization.annotate import FrameAnnotator
from ifdd_mmaction.visualization.emotion_pictures import (
    NOT_SURE,
    UNSURE,
    FaceEmotions,
    choose_moments,
    plot_emotion_moments,
    plot_emotion_timeline,
)
from ifdd_mmaction.visualization.style import emotion_colors, rgb
from tests.helpers.figures import DFEW, MAFW, assert_readable, texts_of


def emotions(name, start, end, tops, classes=DFEW, share=0.7):
    """A face with one top emotion after the other, evenly spaced."""
    middles = np.linspace(start + 0.5, end - 0.5, len(tops))
    rest = (1 - share) / (len(classes) - 1)
    shares = np.full((len(tops), len(classes)), rest)
    shares[np.arange(len(tops)), [classes.index(top) for top in tops]] = share
    return FaceEmotions(name, start, end, middles, shares)


@pytest.mark.parametrize('classes', [DFEW, MAFW, tuple('abcdefghijklmnop')])
def test_emotions_have_different_colors(classes):
    colors = emotion_colors(classes)
    assert len(colors) == len(classes)
    assert len(set(colors)) == min(len(classes), 11)


def test_an_emotion_has_its_color_in_any_order_and_spelling():
    dfew = dict(zip(DFEW, emotion_colors(DFEW), strict=True))
    other = dict(
        zip(('Anger', 'Happiness'), emotion_colors(('Anger', 'Happiness')), strict=True)
    )
    assert other == {'Anger': dfew['angry'], 'Happiness': dfew['happy']}
    assert rgb('#0a10ff') == (10, 16, 255)


def test_probabilities_between_predictions_are_linear():
    face = emotions('a', 0, 3, ['happy', 'sad'])
    assert face.at(0)[0] == pytest.approx(0.7)  # constant before the first prediction
    assert face.at(1.5)[0] == pytest.approx((0.7 + 0.05) / 2)
    assert face.at(np.array([0.5, 2.5])).shape == (2, 7)


def test_the_timeline_has_a_line_per_class_while_the_face_is_visible():
    faces = [
        emotions('face 1', 0, 10, ['happy', 'sad', 'sad']),
        emotions('face 2', 4, 6, ['fear']),
    ]
    figure = plot_emotion_timeline(faces, DFEW, 10)
    colors = emotion_colors(DFEW)
    for axes, face in zip(figure.axes, faces, strict=True):
        assert axes.get_xlim() == (0, 10)
        lines = axes.get_lines()[:7]
        for line, color, k in zip(lines, colors, range(7), strict=True):
            x, y = line.get_data()
            assert (x[0], x[-1]) == (face.start, face.end)
            np.testing.assert_allclose(y, face.at(x)[:, k])
            assert same_color(line.get_color(), color)
    bars = figure.axes[0].collections
    assert [same_color(b.get_facecolor()[0], colors[k]) for k, b in enumerate(bars)]
    assert len(bars) == 2 and len(figure.axes[1].collections) == 1
    assert_readable(figure)
    assert {'face 1', 'face 2', *DFEW} <= set(texts_of(figure))
    with pytest.raises(ValueError, match=r'faces=\[\]'):
        plot_emotion_timeline([], DFEW, 1)


def test_moments_are_the_highest_not_neutral_and_not_too_close():
    face = emotions('a', 0, 10, ['neutral'] * 10)
    face.probabilities[2] = face.probabilities[3] = 0
    face.probabilities[2, 0], face.probabilities[3, 0] = 0.8, 0.9  # 2.5 and 3.5 s
    face.probabilities[8] = 0
    face.probabilities[8, 6] = 0.95
    moments = choose_moments([face], DFEW, count=2, apart=1.5)
    found = [(m.seconds, DFEW[m.expression], m.probability) for m in moments]
    assert found == [
        (pytest.approx(3.5), 'happy', pytest.approx(0.9)),
        (pytest.approx(8.5), 'fear', pytest.approx(0.95)),
    ]
    assert len(choose_moments([face], DFEW, count=2, apart=0.5)) == 2
    # the other seven moments are neutral
    assert len(choose_moments([face], DFEW, apart=0.5)) == 3
    assert len(choose_moments([emotions('a', 0, 9, ['neutral'] * 3)], DFEW)) == 3
    assert choose_moments([face], ('neutral',)) == []


@pytest.mark.parametrize('count', [2, 6, 8])
def test_the_figure_of_moments_shows_faces_with_time_and_emotion(count):
    face = emotions('face 1', 0, count, list(DFEW[:2]) * (count // 2) or ['sad'])
    moments = choose_moments([face], DFEW, apart=0.1)
    images = [np.full((8, 8, 3), 20 * i, np.uint8) for i in range(len(moments))]
    figure = plot_emotion_moments(moments, images, ['face 1'], DFEW)
    shown = [axes.images[0].get_array() for axes in figure.axes if axes.images]
    for image, other in zip(shown, images, strict=True):
        np.testing.assert_array_equal(image, other)
    texts = texts_of(figure)
    for moment in moments:
        assert f'{moment.seconds:.1f} s, face 1' in texts
    assert any(text.startswith('sad 70') for text in texts)
    assert_readable(figure)
    with pytest.raises(ValueError, match=r'moments=\[\]'):
        plot_emotion_moments([], [], [], DFEW)


def test_frames_get_boxes_labels_and_a_time_line():
    faces = [
        emotions('face 1', 0, 10, ['happy', 'sad']),
        emotions('face 2', 5, 10, ['fear']),
    ]
    annotate = FrameAnnotator(faces, DFEW, 10, (640, 360))
    frame = np.full((360, 640, 3), 128, np.uint8)
    box = np.array([300.0, 150, 400, 280])
    pictures = [annotate(frame, s, [box, None]) for s in (0.5, 9.5)]
    width, height = annotate.size
    assert width == 640 and height > 400 and width % 2 == height % 2 == 0
    for picture, name in zip(pictures, ('happy', 'sad'), strict=True):
        assert picture.shape == (height, width, 3)
        color = rgb(dict(zip(DFEW, emotion_colors(DFEW), strict=True))[name])
        assert tuple(picture[220, 300]) == color  # the box
        assert (picture[300:360] == 128).all()  # nothing below it, no other face
        assert (picture[100:150, 300:420] != 128).any()  # the label above it
    white = [np.flatnonzero((p[365, :] == 255).all(axis=1)) for p in pictures]
    assert white[0].mean() < white[1].mean() - 300
    # the strip of the second face begins in the middle
    row = pictures[0][-annotate.unit * 3]
    assert (frame == 128).all() and row.any()


@pytest.mark.parametrize('classes', [DFEW, MAFW])
@pytest.mark.parametrize('size', [(224, 224), (1280, 720), (360, 640)])
def test_pictures_of_any_size_can_be_drawn(classes, size):
    face = emotions('face 1', 0, 2, [classes[0]], classes)
    annotate = FrameAnnotator([face] * 6, classes, 2, size)
    boxes = [np.array([-20.0, -9, 90, 100])] * 5 + [None]
    picture = annotate(np.zeros((size[1], size[0], 3), np.uint8), 1.0, boxes)
    assert picture.shape == (annotate.size[1], annotate.size[0], 3)
    assert annotate.size[0] >= 360


def test_the_top_emotion_below_a_threshold_is_not_sure():
    sure, unsure = (emotions('face 1', 0, 10, ['happy'], share=s) for s in (0.7, 0.4))
    figure = plot_emotion_timeline([sure, unsure], DFEW, 10, abstain_below=0.5)
    assert_readable(figure)
    (bar,), (gray,) = (axes.collections for axes in figure.axes)
    assert same_color(bar.get_facecolor()[0], emotion_colors(DFEW)[0])
    assert same_color(gray.get_facecolor()[0], UNSURE)
    assert f'{NOT_SURE} (below 50%)' in texts_of(figure)
    assert not same_color(UNSURE, emotion_colors(DFEW)[2])  # neutral
    frame = np.zeros((360, 640, 3), np.uint8)
    box = np.array([300.0, 150, 400, 280])
    drawn = {}
    for threshold in (0.0, 0.5):
        annotate = FrameAnnotator([sure, unsure], DFEW, 10, (640, 360), threshold)
        drawn[threshold] = annotate(frame, 5.0, [None, box])
    assert tuple(drawn[0.0][220, 300]) == rgb(emotion_colors(DFEW)[0])
    assert tuple(drawn[0.5][220, 300]) == rgb(UNSURE)
    # The strips: the first face is sure, the second one nowhere.
    strips = drawn[0.5][360:]
    counts = [(strips == rgb(c)).all(axis=2).sum() for c in (UNSURE, '#E69F00')]
    assert min(counts) > 1000


@pytest.mark.parametrize('share, named', [(0.5, True), (0.4999, False)])
def test_a_class_at_the_threshold_is_named(share, named):
    face = emotions('face 1', 0, 10, ['happy'], share=share)
    figure = plot_emotion_timeline([face], DFEW, 10, abstain_below=0.5)
    (bar,) = figure.axes[0].collections
    color = emotion_colors(DFEW)[0] if named else UNSURE
    assert same_color(bar.get_facecolor()[0], color)
