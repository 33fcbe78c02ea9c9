"""A temperature that divides logits, and the one with the lowest NLL."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike
from scipy.optimize import minimize_scalar
from scipy.special import log_softmax, logsumexp

from .calibration import check_labels

#: Limits of a temperature. At a limit the NLL has no minimum.
COLDEST, HOTTEST = 0.01, 100.0


def tempered(
    logits: ArrayLike, temperature: float, average_clips: str | None = 'score'
) -> np.ndarray:
    """Return the probabilities ``(N, K)`` of logits divided by a temperature.

    Args:
        logits: ``(N, M, K)``, those of the M views of a clip, or ``(N, K)`` of one.
        temperature: Above 1 the probabilities become more equal, below 1 less.
        average_clips: ``'prob'`` averages the probabilities of the views, as a head
            with this setting does, anything else their logits.

    Example:
        >>> from ifdd_mmaction.evaluation import tempered
        >>> tempered([[2.0, 0.0]], temperature=2.0).round(3).tolist()
        [[0.731, 0.269]]
    """
    return np.exp(_log_probabilities(_views(logits), temperature, average_clips))


def fit_temperature(
    logits: ArrayLike, labels: ArrayLike, average_clips: str | None = 'score'
) -> float:
    """Return the temperature with the lowest NLL; Guo et al., arXiv 1706.04599.

    It is searched between :data:`COLDEST` and :data:`HOTTEST`, in float64.

    Args:
        logits: ``(N, M, K)``, those of the M views of a clip, or ``(N, K)`` of one.
        labels: ``(N,)`` class indexes.
        average_clips: As of :func:`tempered`.

    Raises:
        ValueError: If the NLL has no minimum between the limits, as with clips that are
            all classified correctly.

    Example:
        >>> from ifdd_mmaction.evaluation import fit_temperature
        >>> logits = [[4.0, 0.0], [4.0, 0.0], [4.0, 0.0], [4.0, 0.0]]
        >>> round(fit_temperature(logits, [0, 0, 0, 1]), 3)  # softmax: 0.75, 0.25
        3.641
    """
    views = _views(logits)
    _, truth = check_labels(views[:, 0], labels)
    rows = np.arange(len(truth))

    def nll(log_temperature: float) -> float:
        found = _log_probabilities(views, np.exp(log_temperature), average_clips)
        return float(-found[rows, truth].mean())

    # Of averaged probabilities it may have several minima: the lowest point of a grid
    # is between the ends of the search.
    grid = np.linspace(np.log(COLDEST), np.log(HOTTEST), 101)
    lowest = int(np.argmin([nll(point) for point in grid]))
    if lowest in (0, len(grid) - 1):
        right = (views.mean(axis=1).argmax(axis=1) == truth).sum()
        raise ValueError(
            f'the NLL is lowest at the limit of temperatures, '
            f'{np.exp(grid[lowest]):g}: {right} of {len(truth)} clips are classified '
            'correctly; use other clips, or more'
        )
    ends = grid[lowest - 1], grid[lowest + 1]
    found = minimize_scalar(
        nll, bounds=ends, method='bounded', options=dict(xatol=1e-9)
    )
    return float(np.exp(found.x))


def _views(logits: ArrayLike) -> np.ndarray:
    values = np.asarray(logits, dtype=np.float64)
    return values[:, None] if values.ndim == 2 else values


def _log_probabilities(
    views: np.ndarray, temperature: float, average_clips: str | None
) -> np.ndarray:
    """Return ``(N, K)`` of logits ``(N, M, K)``."""
    if average_clips == 'prob':
        each = log_softmax(views / temperature, axis=2)
        return logsumexp(each, axis=1) - np.log(views.shape[1])
    return log_softmax(views.mean(axis=1) / temperature, axis=1)
