"""The figures drawn from arrays are readable and show their input."""

from argparse import ArgumentTypeError

import matplotlib.pyplot as plt
import numpy as np
import pytest

from ifdd_mmaction.visualization import (
    CamRow,
    ClipSplit,
    figure_path,
    plot_cam_overlay,
    plot_clip_split,
    plot_confidences,
    plot_recall_radar,
    plot_tsne,
    save_figure,
)
from ifdd_mmaction.visualization.cam_overlay import overlay
from tests.helpers.figures import DFEW, MAFW, assert_readable, texts_of

RNG = np.random.default_rng(0)
FRAMES = RNG.integers(0, 255, (8, 24, 24, 3), dtype=np.uint8)


@pytest.mark.parametrize('classes', [DFEW, MAFW])
def test_recall_radar(classes):
    first = np.linspace(0.1, 0.9, len(classes))
    figure = plot_recall_radar(
        {'IFDD': first, 'another model': [*first[:-1], None]}, classes, 'DFEW'
    )
    assert_readable(figure)
    assert {*classes, 'DFEW', 'IFDD  (UAR 50.0%)'} <= set(texts_of(figure))
    (axes,) = figure.axes
    *_, top = axes.lines  # drawn last, over the others
    np.testing.assert_allclose(top.get_ydata(), [*first, first[0]])


@pytest.mark.parametrize('recalls, classes', [
    ({}, DFEW), ({'a': [0.5] * 6}, DFEW), ({'a': [0.5] * 2}, DFEW[:2]),
])  # fmt: skip
def test_invalid_recalls_raise_an_error(recalls, classes):
    with pytest.raises(ValueError, match='classes'):
        plot_recall_radar(recalls, classes)


@pytest.mark.parametrize('classes', [DFEW, MAFW])
def test_confidences(classes):
    labels = RNG.integers(0, len(classes) - 1, 60)  # none of the last class
    shares = np.full((60, len(classes)), 0.02)
    shares[range(60), labels] = 0.7
    figure = plot_confidences(shares, labels, classes)
    assert_readable(figure)
    (axes,) = figure.axes
    for k in range(len(classes) - 1):
        right = [b for b in axes.patches if b.get_x() == k and b.get_width() > 0]
        left = [b for b in axes.patches if b.get_x() == k and b.get_width() < 0]
        assert [round(b.get_y(), 2) for b in right] == [0.68]
        assert [b.get_y() for b in left] == [0]
    assert f'{classes[-1]}\nn = 0' in texts_of(figure)
    with pytest.raises(ValueError, match=r'\(N, K\)'):
        plot_confidences(shares[:, 1:], labels, classes)


@pytest.mark.parametrize('panels, classes', [(1, MAFW), (3, DFEW)])
def test_tsne(panels, classes):
    labels = np.arange(40) % (len(classes) - 1)
    points = {f'panel {i}': RNG.normal(size=(40, 2)) for i in range(panels)}
    figure = plot_tsne(points, labels, classes, 'title')
    assert_readable(figure)
    named = [text.get_text() for text in figure.legends[0].get_texts()]
    assert named == list(classes[:-1])
    for axes, place in zip(figure.axes, points.values(), strict=True):
        drawn = np.concatenate([c.get_offsets() for c in axes.collections])
        assert sorted(map(tuple, drawn)) == sorted(map(tuple, place))
    # Color and marker are unique to each class.
    looks = {
        (line.get_color(), line.get_marker()) for line in figure.legends[0].get_lines()
    }
    assert len(looks) == len(named)
    with pytest.raises(ValueError, match=r'\(N, 2\)'):
        plot_tsne(points, labels[1:], classes)


def test_clip_split():
    regular = np.array([0.5, 4.5]), np.array([2.5, 6.5])
    moved = ClipSplit(
        'clip 1, happy', FRAMES, [1.0, 5.0], [3.0, 7.0], regular, np.eye(4),
        np.linspace(0, 1, 8),
    )  # fmt: skip
    bare = ClipSplit('clip 2, sad', FRAMES, *regular, regular)
    figure = plot_clip_split([moved, bare])
    assert_readable(figure)
    assert {'clip 1, happy', 'context', 'dynamics', 'correlation'} <= set(
        texts_of(figure)
    )
    marks = [axes for axes in figure.axes if axes.get_xlabel() == 'frame of the clip']
    assert len(marks) == 2 and texts_of(figure).count('correlation') == 1
    places = [c.get_offsets()[:, 0].tolist() for c in marks[0].collections]
    assert places == [[0.5, 4.5], [1, 5], [2.5, 6.5], [3, 7]]
    with pytest.raises(ValueError, match=r'clips=\[\]'):
        plot_clip_split([])


@pytest.mark.parametrize('context', [True, False])
def test_cam_overlay(context):
    cam = np.zeros((2, 4, 4))
    cam[1, 3, 0] = 5.0
    row = CamRow(
        '7', 'happy', ('sad', 0.4), FRAMES[:2], cam if context else None, [0.5, 3],
        FRAMES[2:4], cam, [1, 6.25],
    )  # fmt: skip
    figure = plot_cam_overlay([row, row._replace(predicted=('happy', 1.0))], 'title')
    assert_readable(figure)
    assert {'✗ sad 40%', '✓ happy 100%', 'frame 6.2', 'title'} <= set(texts_of(figure))
    images = [a.images[0].get_array() for a in figure.axes if a.images]
    assert len(images) == 8
    gray = np.rint(FRAMES[0].mean(axis=2))
    if context:
        assert np.abs(images[0][..., 0] - gray).max() <= 1  # nothing is active there
    else:
        np.testing.assert_array_equal(images[0], FRAMES[0])
    shown = overlay(FRAMES[:2], cam)
    assert shown[1, -1, 0, 0] > 150 and np.ptp(shown[1, 0, -1]) <= 1


@pytest.mark.parametrize('suffix, start', [
    ('png', b'\x89PNG'), ('jpg', b'\xff\xd8'), ('svg', b'<?xml'), ('pdf', b'%PDF'),
])  # fmt: skip
def test_a_figure_is_saved_in_the_format_of_its_name(tmp_path, suffix, start):
    figure = plot_recall_radar({'a': [0.5] * 7}, DFEW)
    save_figure(figure, tmp_path / f'figure.{suffix}', dpi=40)
    assert (tmp_path / f'figure.{suffix}').read_bytes().startswith(start)
    assert not plt.get_fignums()  # no figure stays in pyplot


def test_other_file_extensions_raise_an_argument_error():
    assert figure_path('a/b.svg').name == 'b.svg'
    for wrong in ('a/b', 'b.docx'):
        with pytest.raises(ArgumentTypeError, match=r'\.png'):
            figure_path(wrong)
