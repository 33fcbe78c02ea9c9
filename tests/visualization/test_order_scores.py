import numpy as np
import pytest

from ifdd_mmaction.visualization import plot_orders
from tests.helpers.figures import assert_readable, texts_of
from tests.helpers.reliance_reports import MODELS, report


def test_every_order_has_a_mark_of_each_model():
    figure = plot_orders(MODELS, num_classes=7)
    left, right = figure.axes
    assert [t.get_text() for t in left.get_yticklabels()] == list(report()['orders'])
    for axes, expected in ((left, [60, 50, 80]), (right, [0, -10, 20])):
        dots = [c.get_offsets() for c in axes.collections if c.get_label()[0] != '_']
        assert len(dots) == 2
        np.testing.assert_allclose(dots[0][:, 0], expected)
        np.testing.assert_allclose(dots[0][:, 1], np.arange(3), atol=0.5)
        assert (dots[0][:, 1] < dots[1][:, 1]).all()
    assert_readable(figure)
    assert {'chance', *MODELS} <= set(texts_of(figure))


def test_no_models_raise_an_error():
    with pytest.raises(ValueError, match='must not be empty'):
        plot_orders({}, num_classes=7)
