"""The temperature with the lowest NLL, of one view and of several."""

import math

import numpy as np
import pytest
from scipy.optimize import minimize

from ifdd_mmaction.evaluation import (
    fit_temperature,
    negative_log_likelihood,
    tempered,
)

AVERAGES = ('score', 'prob', None)


def draw(seed, temperature=1.0, n=400, views=1, k=7):
    """Return logits ``(n, views, k)`` whose softmax at a temperature is calibrated."""
    rng = np.random.default_rng(seed)
    true = rng.normal(size=(n, k)) * 2
    shares = np.exp(true) / np.exp(true).sum(axis=1, keepdims=True)
    labels = (shares.cumsum(axis=1) > rng.random((n, 1))).argmax(axis=1)
    noise = rng.normal(size=(n, views, k)) * (views > 1)
    return temperature * (true[:, None] + noise), labels


def nll(logits, labels, temperature, average):
    return negative_log_likelihood(tempered(logits, temperature, average), labels)


def test_the_temperature_of_a_case_by_hand():
    # softmax([4 / T, 0]) is (3/4, 1/4) at T = 4 / log 3.
    found = fit_temperature([[4.0, 0.0]] * 4, [0, 0, 0, 1])
    assert found == pytest.approx(4 / math.log(3), rel=1e-7)


@pytest.mark.parametrize('true', [0.3, 1.0, 2.5])
def test_the_temperature_of_which_the_labels_are_drawn_is_found(true):
    # The standard error at 20,000 clips is a percent.
    logits, labels = draw(0, true, n=20_000)
    assert fit_temperature(logits, labels) == pytest.approx(true, rel=0.05)


@pytest.mark.parametrize('average', AVERAGES)
@pytest.mark.parametrize('views', [1, 3])
def test_no_other_temperature_has_a_lower_nll(average, views):
    logits, labels = draw(1, 1.7, views=views)
    found = fit_temperature(logits, labels, average)
    lowest = nll(logits, labels, found, average)
    for factor in (0.5, 0.99, 0.9999, 1.0001, 1.01, 2):
        assert nll(logits, labels, factor * found, average) > lowest
    other = minimize(
        lambda x: nll(logits, labels, math.exp(x[0]), average), [0.0],
        method='Nelder-Mead', options=dict(xatol=1e-9, fatol=1e-15),
    )  # fmt: skip
    assert found == pytest.approx(math.exp(other.x[0]), rel=1e-6)


def test_views_are_divided_before_they_are_averaged():
    logits, labels = draw(2, views=3)
    each = [tempered(logits[:, m], 2.0) for m in range(3)]
    np.testing.assert_allclose(tempered(logits, 2.0, 'prob'), np.mean(each, axis=0))
    mean = tempered(logits.mean(axis=1), 2.0)
    for average in ('score', None):
        np.testing.assert_allclose(tempered(logits, 2.0, average), mean)
    fitted = {a: fit_temperature(logits, labels, a) for a in AVERAGES}
    assert fitted['score'] == fitted[None] != pytest.approx(fitted['prob'], rel=0.01)


def test_one_view_is_the_same_with_every_average():
    logits, labels = draw(3, 0.6)
    fitted = [fit_temperature(logits, labels, average) for average in AVERAGES]
    assert fitted == pytest.approx([fitted[0]] * 3, rel=1e-7)
    assert fit_temperature(logits[:, 0], labels) == fitted[0]


@pytest.mark.parametrize('labels, limit, right', [
    ([0, 1, 1], '0.01', '3 of 3'),  # any colder one is better
    ([1, 0, 0], '100', '0 of 3'),  # any hotter one is
])  # fmt: skip
def test_without_a_minimum_there_is_no_temperature(labels, limit, right):
    logits = [[2.0, 0.0], [0.0, 1.0], [0.0, 3.0]]
    message = f'at the limit of temperatures, {limit}: {right} clips'
    with pytest.raises(ValueError, match=message):
        fit_temperature(logits, labels)


def test_labels_that_do_not_fit_are_refused():
    with pytest.raises(ValueError, match='labels from 3 to 3'):
        fit_temperature([[1.0, 0.0]], [3])
