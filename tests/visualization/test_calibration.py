"""The reliability diagram and the risk-coverage curve draw what they are given."""

import numpy as np
import pytest

from ifdd_mmaction.evaluation import reliability, risk_coverage
from ifdd_mmaction.visualization import plot_reliability, plot_risk_coverage
from tests.helpers.figures import assert_readable, texts_of


def draw(seed, n=60, k=5):
    rng = np.random.default_rng(seed)
    shares = rng.dirichlet(np.ones(k) / 2, n)
    return shares, rng.integers(k, size=n)


NAMES = ('as trained', 'temperature 1.4', 'another model', 'a fourth')


@pytest.mark.parametrize('count', [1, 2, 3, 4])
def test_each_model_has_a_panel_with_its_bins(count):
    models = {name: reliability(*draw(i)) for i, name in enumerate(NAMES[:count])}
    figure = plot_reliability(models, 'Sample set, fold 1')
    assert_readable(figure)
    upper, lower = figure.axes[::2], figure.axes[1::2]
    assert len(upper) == len(lower) == count
    for axes, below, (name, found) in zip(upper, lower, models.items(), strict=True):
        assert axes.get_title() == f'{name}: ECE {100 * found.error:.1f} %'
        filled = np.flatnonzero(found.counts)
        bars = axes.patches
        assert [b.get_x() for b in bars] == pytest.approx(found.edges[filled])
        assert [b.get_height() for b in bars] == pytest.approx(found.accuracy[filled])
        (lines,) = axes.collections
        heights = [segment[0, 1] for segment in lines.get_segments()]
        assert heights == pytest.approx(found.confidence[filled])
        shares = [b.get_height() for b in below.patches]
        assert shares == pytest.approx(found.counts / found.counts.sum())


def test_the_curves_are_labelled_with_their_areas():
    models = {name: risk_coverage(*draw(i)) for i, name in enumerate(NAMES)}
    figure = plot_risk_coverage(models)
    assert_readable(figure)
    (axes,) = figure.axes
    for line, (name, found) in zip(axes.get_lines(), models.items(), strict=True):
        x, y = line.get_data()
        assert np.array_equal(x, found.coverage) and np.array_equal(y, found.risk)
        assert f'{name}  (AURC {100 * found.area:.2f} %)' in texts_of(figure)


def test_one_clip_without_an_error_can_be_drawn():
    shares, labels = [[0.9, 0.1]], [0]
    assert_readable(plot_reliability({'a': reliability(shares, labels)}))
    assert_readable(plot_risk_coverage({'a': risk_coverage(shares, labels)}))


@pytest.mark.parametrize('plot', [plot_reliability, plot_risk_coverage])
def test_without_a_model_there_is_nothing_to_draw(plot):
    with pytest.raises(ValueError, match=r'models=\{\}'):
        plot({})
