import numpy as np
import pytest

from ifdd_mmaction.visualization import plot_bad_frames, plot_bad_frames_read
from tests.helpers.figures import assert_readable, texts_of
from tests.helpers.reliance_reports import KINDS, MODELS, report


@pytest.mark.parametrize('score, offset', [('UAR', 0), ('WAR', 10)])
def test_every_kind_has_a_curve_of_each_model(score, offset):
    figure = plot_bad_frames(MODELS, num_classes=7, score=score)
    titles = [axes.get_title() for axes in figure.axes]
    assert titles == [kind.replace('_', ' ') for kind in KINDS]
    for axes in figure.axes:
        curves = [line for line in axes.lines if line.get_label() in MODELS]
        for curve, mean in zip(curves, (60, 40), strict=True):
            np.testing.assert_allclose(curve.get_xdata(), [0, 6.25, 25, 50])
            expected = np.array([mean, mean - 2, mean - 8, mean - 16]) + offset
            np.testing.assert_allclose(curve.get_ydata(), expected)
        assert axes.get_xticks() == pytest.approx([0, 6.25, 25, 50])
    assert_readable(figure)
    shown = [t.get_text() for t in figure.axes[-1].get_xticklabels()]
    assert shown == ['0', '1', '4', '8']
    assert {'bad frames of 16', f'{score} (%)'} <= set(texts_of(figure))


def test_clips_of_different_lengths_are_compared_by_share():
    models = {'one': report(), 'other': report(frames=8, counts=(1, 4))}
    figure = plot_bad_frames(models, num_classes=7)
    curves = [line for line in figure.axes[0].lines if line.get_label() in models]
    assert curves[1].get_xdata() == pytest.approx([0, 12.5, 50])
    assert 'bad frames (%)' in texts_of(figure)
    assert_readable(figure)


def test_the_frames_read_are_compared_with_those_before():
    figure = plot_bad_frames_read({'IFDD-ViT': report()})
    curve, zero = figure.axes[0].lines
    expected = [[0, 0], [6.25, -6.25], [25, -25], [50, -50]]
    np.testing.assert_allclose(curve.get_xydata(), expected, atol=1e-12)
    assert list(zero.get_ydata()) == [0, 0]
    assert_readable(figure)


@pytest.mark.parametrize('models', [{}, {'none': dict(noisy={}, indexes={})}])
def test_nothing_to_draw_raises_an_error(models):
    with pytest.raises(ValueError, match='none has bad frames'):
        plot_bad_frames(models, num_classes=7)
    with pytest.raises(ValueError, match='none has bad frames'):
        plot_bad_frames_read(models)
