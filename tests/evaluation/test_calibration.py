"""The scores of calibration against hand-computed cases, loops and other libraries."""

import itertools
import math

import numpy as np
import pytest
import sklearn.metrics as sk

from ifdd_mmaction.evaluation import (
    brier_score,
    calibration_scores,
    classwise_errors,
    negative_log_likelihood,
    reliability,
    risk_coverage,
    to_probabilities,
)


def draw(seed, n=200, k=7, scale=1.0):
    """Return probabilities ``(n, k)`` and labels, better than chance."""
    rng = np.random.default_rng(seed)
    logits = scale * rng.normal(size=(n, k))
    labels = rng.integers(k, size=n)
    logits[np.arange(n), labels] += scale
    exponents = np.exp(logits - logits.max(axis=1, keepdims=True))
    return exponents / exponents.sum(axis=1, keepdims=True), labels


def slow_error(confidences, hits, bins=15):
    """Return the calibration error by the formula; edges are the nearest floats."""
    total = 0.0
    for m in range(bins):
        low, high = m / bins, (m + 1) / bins
        inside = [
            i for i, c in enumerate(confidences)
            if low < c <= high or (m == 0 and c == 0)
        ]  # fmt: skip
        if inside:
            accuracy = sum(bool(hits[i]) for i in inside) / len(inside)
            confidence = math.fsum(confidences[i] for i in inside) / len(inside)
            total += len(inside) / len(confidences) * abs(accuracy - confidence)
    return total


# --- ECE -------------------------------------------------------------------------


def test_the_ece_of_a_case_by_hand():
    # Bins of width 1/5: (0.4, 0.6] has 0.5 right and 0.6 wrong, (0.6, 0.8] 0.7 right.
    shares = [[0.5, 0.25, 0.25], [0.6, 0.2, 0.2], [0.2, 0.7, 0.1]]
    found = reliability(shares, [0, 1, 1], bins=5)
    assert found.counts.tolist() == [0, 0, 2, 1, 0]
    assert found.confidence[2:4] == pytest.approx([0.55, 0.7])
    assert found.accuracy[2:4] == pytest.approx([0.5, 1.0])
    assert np.isnan(found.accuracy[[0, 1, 4]]).all()
    assert found.error == pytest.approx(2 / 3 * 0.05 + 1 / 3 * 0.3)


@pytest.mark.parametrize('share, bin', [(0.5, 0), (0.5 + 1e-12, 1), (1.0, 1)])
def test_a_bin_has_its_upper_edge_and_not_its_lower(share, bin):
    found = reliability([[share, 1 - share]], [0], bins=2)
    assert found.counts.tolist() == [1 - bin, bin]


def test_edges_that_no_float_is_are_no_trouble():
    # 0.2 * 15 is 3.0000000000000004 in some orders of multiplication.
    shares = [[m / 15, 1 - m / 15] for m in range(8, 16)]
    counts = reliability(shares, [0] * 8).counts.tolist()
    assert counts == [0] * 7 + [1] * 8


#: torchmetrics 1.9.0 in float64, l1 norm, 15 bins: multiclass_calibration_error, and
#: binary_calibration_error of the first two classes; it rounds to float32 at the end.
TORCHMETRICS = {
    (0, 200, 7, 1.0): (0.10218501091003418, 0.0585255144921748, 0.06355581936623944),
    (1, 500, 7, 3.0): (0.30868393182754517, 0.09453013726117349, 0.12601910264485466),
    (2, 97, 11, 0.5): (0.07481081038713455, 0.02322462755097552, 0.0539278027739256),
}


@pytest.mark.parametrize('case', TORCHMETRICS)
def test_the_errors_are_those_of_torchmetrics(case):
    shares, labels = draw(*case)
    found = reliability(shares, labels).error, *classwise_errors(shares, labels)[:2]
    assert found == pytest.approx(TORCHMETRICS[case], abs=1e-7)


@pytest.mark.parametrize('bins', [1, 2, 10, 15])
@pytest.mark.parametrize('seed', range(3))
def test_the_errors_are_those_of_the_formula(seed, bins):
    shares, labels = draw(seed, n=60, k=4)
    shares = np.round(shares, 1)  # many on edges
    shares[:, -1] = 1 - shares[:, :-1].sum(axis=1)
    hits = shares.argmax(axis=1) == labels
    found = reliability(shares, labels, bins).error
    confidences = shares.max(axis=1).tolist()
    assert found == pytest.approx(slow_error(confidences, hits, bins), abs=1e-12)
    each = classwise_errors(np.abs(shares), labels, bins)
    for k in range(4):
        column = np.abs(shares)[:, k].tolist()
        wanted = slow_error(column, labels == k, bins)
        assert each[k] == pytest.approx(wanted, abs=1e-12)


def test_a_perfectly_calibrated_and_a_sure_but_wrong_model():
    shares = np.tile([0.75, 0.25], (4, 1))
    assert reliability(shares, [0, 0, 0, 1]).error == 0
    assert reliability([[1.0, 0.0]] * 4, [1] * 4).error == 1


# --- risk and coverage -----------------------------------------------------------


def test_the_curve_of_a_case_by_hand():
    shares = [[0.6, 0.4], [0.9, 0.1], [0.2, 0.8], [0.3, 0.7]]
    found = risk_coverage(shares, [0, 0, 0, 1])  # confidence 0.9, 0.8 wrong, 0.7, 0.6
    assert found.coverage.tolist() == [0.25, 0.5, 0.75, 1]
    assert found.risk == pytest.approx([0, 1 / 2, 1 / 3, 1 / 4])
    assert found.confidence.tolist() == [0.9, 0.8, 0.7, 0.6]
    assert found.area == pytest.approx((0 + 1 / 2 + 1 / 3 + 1 / 4) / 4)


def test_ties_count_as_the_mean_over_their_orders():
    confidences = [0.9, 0.7, 0.7, 0.7, 0.6, 0.6]
    wrong = [0, 1, 0, 0, 1, 0]
    areas = []
    for order in itertools.permutations(range(6)):
        ranked = [confidences[i] for i in order]
        if ranked == sorted(ranked, reverse=True):
            errors = np.cumsum([wrong[i] for i in order])
            areas.append(np.mean(errors / np.arange(1, 7)))
    shares = [[c, 1 - c] for c in confidences]
    assert len(areas) == 12
    assert risk_coverage(shares, wrong).area == pytest.approx(np.mean(areas))


def test_the_risk_of_all_clips_is_the_share_of_errors():
    shares, labels = draw(3)
    found = risk_coverage(shares, labels)
    assert found.risk[-1] == pytest.approx((shares.argmax(axis=1) != labels).mean())
    assert (np.diff(found.confidence) <= 0).all()


# --- Brier score, NLL ------------------------------------------------------------


@pytest.mark.parametrize('seed', range(3))
def test_brier_and_nll_are_those_of_scikit_learn(seed):
    shares, labels = draw(seed, scale=2.0)
    each = [sk.brier_score_loss(labels == k, shares[:, k]) for k in range(7)]
    assert brier_score(shares, labels) == pytest.approx(sum(each), abs=1e-12)
    wanted = sk.log_loss(labels, shares, labels=range(7))
    assert negative_log_likelihood(shares, labels) == pytest.approx(wanted, abs=1e-12)


def test_brier_and_nll_of_cases_by_hand():
    assert brier_score([[1.0, 0.0]], [1]) == 2
    assert brier_score([[0.5, 0.5], [1.0, 0.0]], [0, 0]) == 0.25
    shares = [[0.5, 0.5], [0.25, 0.75]]
    assert negative_log_likelihood(shares, [0, 0]) == pytest.approx(1.5 * math.log(2))
    # Zero is what float32 makes of anything below 1.2e-38.
    assert negative_log_likelihood([[1.0, 0.0]], [1]) == pytest.approx(87.336, abs=1e-3)


# --- all of them -----------------------------------------------------------------


def test_the_order_of_the_clips_does_not_matter():
    shares, labels = draw(5)
    shares = np.round(shares, 1) + 1e-3  # ties
    shares /= shares.sum(axis=1, keepdims=True)
    found = calibration_scores(shares, labels)
    order = np.random.default_rng(0).permutation(len(labels))
    other = calibration_scores(shares[order], labels[order])
    assert found.keys() == other.keys()
    for name, value in found.items():
        assert other[name] == pytest.approx(value, abs=1e-12), name


def test_logits_and_their_probabilities_give_the_same():
    shares, labels = draw(6)
    found = calibration_scores(shares, labels)
    logits = calibration_scores(np.log(shares) + 3, labels)
    for name, value in found.items():
        assert logits[name] == pytest.approx(value, abs=1e-12), name


@pytest.mark.parametrize('dtype', [np.float16, np.float32])
def test_rounded_probabilities_are_probabilities(dtype):
    shares, _ = draw(7, k=11)
    found = to_probabilities(shares.astype(dtype))
    assert np.abs(found - shares).max() < 2e-3
    assert found.sum(axis=1) == pytest.approx(1, abs=1e-12)


def test_scores_are_logits_if_one_clip_says_so():
    # The first row could be either; the second has a negative one.
    found = to_probabilities([[0.25, 0.75], [-1.0, 2.0]])
    assert found[0, 1] == pytest.approx(1 / (1 + math.exp(-0.5)))


def test_a_class_without_clips_is_left_out_of_the_mean():
    shares, labels = draw(8)
    kept = labels != 3
    found = calibration_scores(shares[kept], labels[kept])
    errors = found['class_errors']
    assert np.flatnonzero(np.isnan(errors)).tolist() == [3]
    assert found['classwise_ECE'] == pytest.approx(np.delete(errors, 3).mean())
    assert all(np.isfinite(v) for k, v in found.items() if k != 'class_errors')


def test_one_clip_is_enough():
    found = calibration_scores([[2.0, 0.0, 0.0]], [1])
    top = math.exp(2) / (math.exp(2) + 2)
    assert found['ECE'] == pytest.approx(top) and found['AURC'] == 1
    assert found['classwise_ECE'] == pytest.approx(1 - (1 - top) / 2)
    assert found['NLL'] == pytest.approx(-math.log((1 - top) / 2))


@pytest.mark.parametrize('scores, labels, message', [
    ([], [], r'scores of shape \(0,\)'),
    (np.zeros((0, 3)), [], r'scores of shape \(0, 3\)'),
    ([[0.0, np.nan], [1.0, 2.0]], [0, 0], 'scores of 1 of 2 clips are not finite'),
    ([[0.0, 1.0]], [2], 'labels from 2 to 2, int64: must be integers from 0 to 1'),
    ([[0.0, 1.0]], [-1], 'labels from -1 to -1'),
    ([[0.0, 1.0]], [0.5], 'float64: must be integers'),
    ([[0.0, 1.0]], [0, 1], r'\(1, 2\) and labels of shape \(2,\)'),
])  # fmt: skip
def test_what_cannot_be_scored_is_refused(scores, labels, message):
    with pytest.raises(ValueError, match=message):
        calibration_scores(scores, labels)


def test_there_is_a_bin():
    with pytest.raises(ValueError, match='bins=0'):
        reliability([[0.5, 0.5]], [0], bins=0)
