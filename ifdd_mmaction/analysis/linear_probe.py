"""Linear probes of features: prediction of class and subject.

The classifier is scikit-learn's ridge classifier on standardized features. Its penalty
is chosen by accuracy in cross-validation on the training clips, with the same grouping
as between training and test: by subject for the class, by class for the subject.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

ALPHAS = 10.0 ** np.arange(-2, 5, 2)
#: Maximum number of folds of the cross-validation.
MAX_FOLDS = 3


class ProbeError(ValueError):
    """A model or its data cannot be probed; the message says what to change."""


def class_hits(
    train: np.ndarray,
    train_labels: Sequence[int],
    train_subjects: Sequence[str],
    test: np.ndarray,
    test_labels: Sequence[int],
) -> np.ndarray:
    """Train a probe of the class on features ``(N, C)``, and test it on ``(M, C)``.

    Args:
        train: Training features ``(N, C)``.
        train_labels: Classes of the training features.
        train_subjects: Subjects of the training features, at least two.
        test: Test features ``(M, C)``, of other subjects.
        test_labels: Classes of the test features.

    Returns:
        ``(M,)`` bool: whether each prediction is correct.

    Raises:
        ProbeError: If all training features are of one subject.

    Example:
        >>> from ifdd_mmaction.analysis import class_hits
        >>> labels, subjects = [0, 1] * 3, ['anna', 'anna', 'ben', 'ben', 'eve', 'eve']
        >>> features = np.random.rand(6, 4) + 5 * np.array(labels)[:, None]
        >>> float(class_hits(features, labels, subjects, features, labels).mean())
        1.0
    """
    probe = _fit(train, np.asarray(train_labels), np.asarray(train_subjects))
    return probe.predict(test.astype(np.float64)) == np.asarray(test_labels)


def identity_hits(
    features: np.ndarray, subjects: Sequence[str], labels: Sequence[int]
) -> np.ndarray:
    """Predict the subject of a clip from clips of other classes.

    Each class in turn is held out: the probe is trained on the clips of all other
    classes, so it can use only what the clips of a subject have in common across
    expressions. The mean of each class is subtracted first: otherwise, in a feature
    that separates the classes well, a probe fails on a class it was not trained on.

    Args:
        features: Features ``(N, C)``.
        subjects: Subject of each clip; at least two, each with at least two classes.
        labels: Class of each clip; at least three.

    Returns:
        ``(N,)`` bool: whether each prediction is correct.

    Raises:
        ProbeError: If there are fewer subjects or classes.

    Example:
        >>> from ifdd_mmaction.analysis import identity_hits
        >>> labels, subjects = [0, 1, 2] * 2, ['anna'] * 3 + ['ben'] * 3
        >>> features = np.random.rand(6, 4)
        >>> features[3:] += 5  # what the clips of ben have in common
        >>> float(identity_hits(features, subjects, labels).mean())
        1.0
    """
    who, what = np.asarray(subjects), np.asarray(labels)
    classes, names = np.unique(what), np.unique(who)
    if len(names) < 2 or len(classes) < 3:
        raise ProbeError(
            'the identity probe needs two subjects and three classes, but the clips '
            f'have {len(names)} and {len(classes)}: use more clips'
        )
    for name in names:
        if len(np.unique(what[who == name])) < 2:
            raise ProbeError(
                f'subject {name} has clips of one class only: the identity probe '
                'needs clips of at least two classes of each subject'
            )
    centered = np.array(features, dtype=np.float64)
    for label in classes:
        centered[what == label] -= centered[what == label].mean(axis=0)
    right = np.zeros(len(who), dtype=bool)
    for label in classes:
        test = what == label
        probe = _fit(centered[~test], who[~test], what[~test])
        right[test] = probe.predict(centered[test]) == who[test]
    return right


def largest_share(values: Sequence[object]) -> float:
    """Return the fraction of the most frequent value.

    Example:
        >>> from ifdd_mmaction.analysis import largest_share
        >>> largest_share(['happy', 'happy', 'sad', 'happy'])
        0.75
    """
    _, counts = np.unique(np.asarray(values).astype(str), return_counts=True)
    return float(counts.max() / counts.sum())


def identity_chance(subjects: Sequence[str], labels: Sequence[int]) -> float:
    """Return the accuracy of predicting the most frequent subject of each class.

    Example:
        >>> from ifdd_mmaction.analysis import identity_chance
        >>> identity_chance(['anna', 'anna', 'ben', 'ben'], labels=[0, 0, 0, 1])
        0.75
    """
    who, what = np.asarray(subjects), np.asarray(labels)
    parts = [who[what == label] for label in np.unique(what)]
    return sum(largest_share(part) * len(part) for part in parts) / len(who)


def _fit(features: np.ndarray, targets: np.ndarray, groups: np.ndarray) -> Any:
    """Fit a probe whose penalty is chosen by cross-validation over groups."""
    try:
        from sklearn.linear_model import RidgeClassifier
        from sklearn.model_selection import GridSearchCV, GroupKFold
        from sklearn.pipeline import make_pipeline
        from sklearn.preprocessing import StandardScaler
    except ImportError as error:
        raise ImportError(
            'the linear probes need scikit-learn: pip install "ifdd-mmaction[analysis]"'
        ) from error
    count = len(np.unique(groups))
    if count < 2:
        raise ProbeError(
            f'all training clips are of {groups[0]}: a probe needs clips of two groups'
        )
    search = GridSearchCV(
        make_pipeline(StandardScaler(), RidgeClassifier()),
        dict(ridgeclassifier__alpha=ALPHAS),
        cv=GroupKFold(min(MAX_FOLDS, count)),
    )
    # In float32 a small penalty makes the problem ill-conditioned.
    return search.fit(features.astype(np.float64), targets, groups=groups)
