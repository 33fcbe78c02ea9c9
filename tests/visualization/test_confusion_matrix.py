import matplotlib
import numpy as np
import pytest

from ifdd_mmaction.visualization import plot_confusion_matrix
from tests.helpers.figures import DFEW, MAFW, assert_readable, texts_of


def cells(figure):
    """Return texts by (column, row), the recalls in the last column."""
    (axes,) = figure.axes
    places = {}
    for text in axes.texts:
        x, y = text.get_position()
        places.setdefault((int(np.floor(x)), int(np.floor(y + 0.5))), []).append(
            text.get_text()
        )
    return places


def test_cells_show_row_percentage_and_count():
    figure = plot_confusion_matrix([[8, 2], [1, 3]], ('yes', 'no'))
    assert cells(figure) == {
        (0, 0): ['80.0%', '8'],
        (1, 0): ['20.0%', '2'],
        (0, 1): ['25.0%', '1'],
        (1, 1): ['75.0%', '3'],
        (2, 0): ['80.0%', 'n = 10'],
        (2, 1): ['75.0%', 'n = 4'],
    }
    (mesh,) = figure.axes[0].collections
    shares = np.asarray(mesh.get_array()).reshape(2, 2)
    np.testing.assert_allclose(shares, [[0.8, 0.2], [0.25, 0.75]])


def test_title_has_the_scores():
    # WAR 11/14, UAR (0.8 + 0.75) / 2, F1 the mean of 16/19 and 6/9
    title = plot_confusion_matrix([[8, 2], [1, 3]], ('a', 'b')).axes[0].get_title()
    for part in ('WAR 78.57%', 'UAR 77.50%', 'macro-F1 75.44%', '14 clips'):
        assert part in title


def test_rows_are_true_classes_from_the_top():
    axes = plot_confusion_matrix(np.eye(7, dtype=int), DFEW).axes[0]
    assert [t.get_text() for t in axes.get_yticklabels()] == list(DFEW)
    assert [t.get_text() for t in axes.get_xticklabels()] == [*DFEW, 'recall']
    assert axes.yaxis_inverted() and not axes.xaxis_inverted()
    assert axes.get_ylabel() == 'True class'
    assert axes.get_xlabel() == 'Predicted class'


def test_absent_class_is_empty_not_zero():
    confusion = np.diag([4, 0, 5])
    confusion[0, 1] = 1
    figure = plot_confusion_matrix(confusion, ('a', 'b', 'c'))
    found = cells(figure)
    assert found[3, 1] == ['-', 'n = 0']
    assert not any((column, 1) in found for column in range(3))
    assert found[1, 0] == ['20.0%', '1'] and found[2, 0] == ['0']
    (mesh,) = figure.axes[0].collections
    assert np.ma.getmaskarray(mesh.get_array()).reshape(3, 3).any(axis=1).tolist() == [
        False,
        True,
        False,
    ]
    # absent classes do not count in UAR
    assert 'UAR 90.00%' in figure.axes[0].get_title()


@pytest.mark.parametrize('classes', [('a', 'b'), DFEW, MAFW], ids=len)
def test_is_readable(classes):
    size = len(classes)
    counts = np.random.default_rng(0).integers(1, 9999, (size, size))
    figure = plot_confusion_matrix(counts, classes)
    assert_readable(figure)
    width, height = figure.get_size_inches()
    assert 0.8 < width / height < 1.5 or size == 2


def test_text_has_contrast_to_the_cell():
    def luminance(color):
        rgb = np.asarray(matplotlib.colors.to_rgb(color))
        rgb = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
        return rgb @ (0.2126, 0.7152, 0.0722)

    for hits in range(5, 101, 5):
        figure = plot_confusion_matrix([[hits, 100 - hits], [0, 1]], ('a', 'b'))
        axes = figure.axes[0]
        ink = next(t for t in axes.texts if t.get_text() == f'{hits:.1f}%')
        (mesh,) = axes.collections
        dark, light = sorted(
            [luminance(ink.get_color()), luminance(mesh.to_rgba(hits / 100)[:3])]
        )
        assert (light + 0.05) / (dark + 0.05) > 4.5, hits  # WCAG AA


def test_invalid_matrices_raise_an_error():
    with pytest.raises(ValueError, match=r'2 classes .* shape \(3, 3\)'):
        plot_confusion_matrix(np.eye(3, dtype=int), ('a', 'b'))
    with pytest.raises(ValueError, match='0 clips'):
        plot_confusion_matrix(np.zeros((2, 2), dtype=int), ('a', 'b'))


def test_settings_of_matplotlib_are_not_changed():
    before = dict(matplotlib.rcParams)
    figure = plot_confusion_matrix([[1, 0], [0, 1]], ('a', 'b'), title='A run')
    assert dict(matplotlib.rcParams) == before
    # nor does the import change them
    assert before['axes.spines.top'] and before['legend.frameon']
    assert any('A run' in text for text in texts_of(figure))
