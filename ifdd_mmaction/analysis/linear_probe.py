"""What a linear classifier reads from a feature.

The classifier is scikit-learn's ridge classifier on standardised features, with its
penalty chosen by leave-one-out on the training clips.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

ALPHAS = 10.0 ** np.arange(-1, 6)


def class_hits(
    train: np.ndarray,
    train_labels: Sequence[int],
    test: np.ndarray,
    test_labels: Sequence[int],
) -> np.ndarray:
    """Learn the classes from features ``(n, C)``, and predict them from ``(m, C)``.

    Returns:
        ``(m,)`` bool: whether each prediction is right.
    """
    probe = _linear_probe().fit(train, train_labels)
    return probe.predict(test) == np.asarray(test_labels)


def identity_hits(
    features: np.ndarray, subjects: Sequence[str], labels: Sequence[int]
) -> np.ndarray:
    """Predict the subject of a clip from clips of other classes.

    Each class in turn is held out: the probe learns the subjects from their clips of
    all other classes. What the subjects' faces have in common across expressions is
    all that can help it.

    Args:
        features: ``(n, C)``.
        subjects: Of each clip; each with clips of at least two classes.
        labels: Class of each clip.

    Returns:
        ``(n,)`` bool: whether each prediction is right.

    Raises:
        ValueError: If a subject has one class only.
    """
    who, what = np.asarray(subjects), np.asarray(labels)
    for subject in np.unique(who):
        if len(np.unique(what[who == subject])) < 2:
            raise ValueError(
                f'subject {subject} has clips of one class only: the identity probe '
                'learns from other classes than it is tested on.'
            )
    right = np.zeros(len(who), dtype=bool)
    for label in np.unique(what):
        test = what == label
        probe = _linear_probe().fit(features[~test], who[~test])
        right[test] = probe.predict(features[test]) == who[test]
    return right


def largest_share(values: Sequence[object]) -> float:
    """Return how often guessing the most frequent value is right."""
    _, counts = np.unique(np.asarray(values).astype(str), return_counts=True)
    return float(counts.max() / counts.sum())


def _linear_probe() -> Any:
    try:
        from sklearn.linear_model import RidgeClassifierCV
        from sklearn.pipeline import make_pipeline
        from sklearn.preprocessing import StandardScaler
    except ImportError as error:
        raise ImportError(
            'the linear probes need scikit-learn: pip install "ifdd-mmaction[analysis]"'
        ) from error
    return make_pipeline(StandardScaler(), RidgeClassifierCV(alphas=ALPHAS))
