"""How far predicted probabilities can be trusted: ECE, AURC, Brier score, NLL.

The confidence of a prediction is its largest probability. All is computed in float64,
and nothing depends on the order of the clips.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import softmax

#: Bins of equal width of the calibration errors, as of Guo et al., arXiv 1706.04599.
BINS = 15
#: A probability that float32 rounds to zero would make the NLL infinite.
FLOOR = float(np.finfo(np.float32).tiny)
#: How far the sum of float16 probabilities may be from one.
ROUNDING = 1e-2


class Reliability(NamedTuple):
    """Confidence and accuracy of the predictions in bins of confidence.

    Attributes:
        edges: ``(B + 1,)`` from 0 to 1. A bin includes its upper edge, not its lower
            one; the first bin includes 0.
        counts: ``(B,)`` number of clips.
        confidence: ``(B,)`` mean confidence, NaN in an empty bin.
        accuracy: ``(B,)`` share of correct predictions, NaN in an empty bin.
    """

    edges: np.ndarray
    counts: np.ndarray
    confidence: np.ndarray
    accuracy: np.ndarray

    @property
    def error(self) -> float:
        """The ECE: the mean difference, weighted by the number of clips."""
        filled = self.counts > 0
        gaps = np.abs(self.confidence - self.accuracy)[filled]
        return float(gaps @ self.counts[filled] / self.counts.sum())


class RiskCoverage(NamedTuple):
    """The share of wrong predictions among those of highest confidence.

    Attributes:
        coverage: ``(N,)`` shares of clips that are classified: 1/N, 2/N, ..., 1.
        risk: ``(N,)`` share of wrong predictions among these clips.
        confidence: ``(N,)`` smallest confidence among these clips, descending.
    """

    coverage: np.ndarray
    risk: np.ndarray
    confidence: np.ndarray

    @property
    def area(self) -> float:
        """The AURC: the mean risk over all coverages."""
        return float(self.risk.mean())


def to_probabilities(scores: ArrayLike) -> np.ndarray:
    """Return the probabilities of scores ``(N, K)``, logits or probabilities.

    ``pred_score`` of a head is probabilities if its ``average_clips`` is ``'prob'``,
    else logits. Scores are taken as probabilities if those of every clip are
    nonnegative and add up to one; the softmax is applied to all others.

    Raises:
        ValueError: If there is no clip, the shape differs, or a score is not finite.

    Example:
        >>> from ifdd_mmaction.evaluation import to_probabilities
        >>> to_probabilities([[2.0, 0.0], [0.0, 1.0]]).round(3).tolist()
        [[0.881, 0.119], [0.269, 0.731]]
        >>> to_probabilities([[0.25, 0.75], [0.0, 1.0]]).tolist()
        [[0.25, 0.75], [0.0, 1.0]]
    """
    values = np.asarray(scores, dtype=np.float64)
    if values.ndim != 2 or not values.size:
        raise ValueError(f'scores of shape {values.shape}: must be (N, K), N and K > 0')
    if bad := int((~np.isfinite(values)).any(axis=1).sum()):
        raise ValueError(f'the scores of {bad} of {len(values)} clips are not finite')
    sums = values.sum(axis=1, keepdims=True)
    if (values >= 0).all() and (np.abs(sums - 1) < ROUNDING).all():
        return values / sums
    return softmax(values, axis=1)


def reliability(
    probabilities: ArrayLike, labels: ArrayLike, bins: int = BINS
) -> Reliability:
    """Compare confidence and accuracy of the predictions of ``N`` clips.

    Args:
        probabilities: ``(N, K)``, each row sums to 1.
        labels: ``(N,)`` class indexes.
        bins: Number of bins of equal width.

    Example:
        >>> from ifdd_mmaction.evaluation import reliability
        >>> found = reliability([[0.9, 0.1], [0.7, 0.3], [0.4, 0.6]], [0, 1, 1], bins=2)
        >>> found.counts.tolist(), found.confidence.round(3).tolist()
        ([0, 3], [nan, 0.733])
        >>> round(found.error, 3)
        0.067
    """
    shares, truth = check_labels(probabilities, labels)
    correct = shares.argmax(axis=1) == truth
    return _reliability(shares.max(axis=1), correct, bins)


def classwise_errors(
    probabilities: ArrayLike, labels: ArrayLike, bins: int = BINS
) -> np.ndarray:
    """Return the calibration error of each class.

    The probability of the class is compared with the share of clips that are of it, in
    bins as of :func:`reliability`; Kull et al., arXiv 1910.12656.

    Args:
        probabilities: ``(N, K)``, each row sums to 1.
        labels: ``(N,)`` class indexes.
        bins: Number of bins of equal width.

    Returns:
        ``(K,)``, NaN for classes without clips.

    Example:
        >>> from ifdd_mmaction.evaluation import classwise_errors
        >>> classwise_errors([[0.9, 0.1, 0], [0.4, 0.6, 0]], [0, 1]).round(3).tolist()
        [0.25, 0.25, nan]
    """
    shares, truth = check_labels(probabilities, labels)
    errors = np.full(shares.shape[1], np.nan)
    for k in np.unique(truth):
        errors[k] = _reliability(shares[:, k], truth == k, bins).error
    return errors


def risk_coverage(probabilities: ArrayLike, labels: ArrayLike) -> RiskCoverage:
    """Return the share of errors if only the most confident clips are classified.

    Of clips with the same confidence, each counts as the mean error of them: this is
    the expectation over their orders. Geifman and El-Yaniv, arXiv 1705.08500.

    Args:
        probabilities: ``(N, K)``, each row sums to 1.
        labels: ``(N,)`` class indexes.

    Example:
        >>> from ifdd_mmaction.evaluation import risk_coverage
        >>> found = risk_coverage([[0.9, 0.1], [0.3, 0.7], [0.4, 0.6]], [0, 0, 1])
        >>> found.risk.round(3).tolist(), round(found.area, 3)
        ([0.0, 0.5, 0.333], 0.278)
    """
    shares, truth = check_labels(probabilities, labels)
    confidence = shares.max(axis=1)
    wrong = (shares.argmax(axis=1) != truth).astype(np.float64)
    order = np.argsort(-confidence, kind='stable')
    confidence, wrong = confidence[order], wrong[order]
    _, ties, sizes = np.unique(confidence, return_inverse=True, return_counts=True)
    expected = (np.bincount(ties, wrong) / sizes)[ties]
    number = np.arange(1, len(wrong) + 1)
    return RiskCoverage(number / len(wrong), np.cumsum(expected) / number, confidence)


def brier_score(probabilities: ArrayLike, labels: ArrayLike) -> float:
    """Return the mean squared distance of probabilities and labels, from 0 to 2.

    It is the sum over all classes, averaged over the clips, as Brier (1950) defines it.

    Args:
        probabilities: ``(N, K)``, each row sums to 1.
        labels: ``(N,)`` class indexes.

    Example:
        >>> from ifdd_mmaction.evaluation import brier_score
        >>> round(brier_score([[0.5, 0.25, 0.25], [0, 1, 0]], [0, 1]), 4)
        0.1875
    """
    shares, truth = check_labels(probabilities, labels)
    distance = shares - np.eye(shares.shape[1])[truth]
    return float((distance**2).sum(axis=1).mean())


def negative_log_likelihood(probabilities: ArrayLike, labels: ArrayLike) -> float:
    """Return the mean of -log p, in nats, of the true classes.

    Probabilities below 1.2e-38, which are zero in float32, count as 1.2e-38.

    Args:
        probabilities: ``(N, K)``, each row sums to 1.
        labels: ``(N,)`` class indexes.

    Example:
        >>> from ifdd_mmaction.evaluation import negative_log_likelihood
        >>> round(negative_log_likelihood([[0.5, 0.5], [0, 1]], [0, 1]), 4)
        0.3466
    """
    shares, truth = check_labels(probabilities, labels)
    own = shares[np.arange(len(truth)), truth]
    return float(-np.log(np.maximum(own, FLOOR)).mean())


def calibration_scores(scores: ArrayLike, labels: ArrayLike) -> dict[str, Any]:
    """Compute all scores of calibration.

    Args:
        scores: ``(N, K)`` logits or probabilities; see :func:`to_probabilities`.
        labels: ``(N,)`` class indexes.

    Returns:
        ``ECE``: expected calibration error of the predictions in :data:`BINS` bins.
        ``classwise_ECE``: mean of :func:`classwise_errors` over the classes that occur
        as labels. ``AURC``: area under the risk-coverage curve. ``Brier``, ``NLL``.
        ``class_errors``: ``(K,)``, NaN for classes that do not occur.

    Example:
        >>> from ifdd_mmaction.evaluation import calibration_scores
        >>> found = calibration_scores([[0.9, 0.1], [0.2, 0.8], [0.4, 0.6]], [0, 1, 0])
        >>> [f'{name} {found[name]:.3f}' for name in ('ECE', 'AURC', 'Brier', 'NLL')]
        ['ECE 0.300', 'AURC 0.111', 'Brier 0.273', 'NLL 0.415']
    """
    shares = to_probabilities(scores)
    errors = classwise_errors(shares, labels)
    return dict(
        ECE=reliability(shares, labels).error,
        classwise_ECE=float(np.nanmean(errors)),
        AURC=risk_coverage(shares, labels).area,
        Brier=brier_score(shares, labels),
        NLL=negative_log_likelihood(shares, labels),
        class_errors=errors,
    )


def _reliability(confidence: np.ndarray, hit: np.ndarray, bins: int) -> Reliability:
    """Return the bins of confidences ``(N,)`` and of what occurred, ``(N,)`` bool."""
    if bins < 1:
        raise ValueError(f'bins={bins}: must be 1 or more')
    edges = np.arange(bins + 1) / bins
    # The edge itself belongs to the bin below it.
    index = np.maximum(np.searchsorted(edges, confidence, side='left') - 1, 0)
    # Rounding may leave a confidence above 1.
    index = np.minimum(index, bins - 1)
    counts = np.bincount(index, minlength=bins)
    mean, share = np.full((2, bins), np.nan)
    for values, out in ((confidence, mean), (hit, share)):
        sums = np.bincount(index, values, minlength=bins)
        np.divide(sums, counts, out=out, where=counts > 0)
    return Reliability(edges, counts, mean, share)


def check_labels(values: ArrayLike, labels: ArrayLike) -> tuple[np.ndarray, np.ndarray]:
    """Return arrays of values ``(N, K)`` and labels ``(N,)``.

    Raises:
        ValueError: If they do not fit.
    """
    found, truth = np.asarray(values, dtype=np.float64), np.asarray(labels)
    if found.ndim != 2 or not found.size or truth.shape != found.shape[:1]:
        raise ValueError(
            f'values of shape {found.shape} and labels of shape {truth.shape}: must be '
            '(N, K) and (N,) with at least one clip'
        )
    if truth.dtype.kind not in 'iu' or not (
        truth.min() >= 0 and truth.max() < found.shape[1]
    ):
        raise ValueError(
            f'labels from {truth.min()} to {truth.max()}, {truth.dtype}: must be '
            f'integers from 0 to {found.shape[1] - 1}'
        )
    return found, truth
