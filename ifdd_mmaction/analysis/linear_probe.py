"""What a linear classifier reads from a feature.

The classifier is scikit-learn's ridge classifier on standardized features. Its penalty
is the one that is right most often in cross-validation on the training clips, where
the clips are held out as the test clips are: by subject for the class, by class for the
subject.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

ALPHAS = 10.0 ** np.arange(-2, 5, 2)
#: Parts of the training clips in cross-validation of the class probe.
PARTS = 3


class ProbeError(ValueError):
    """A model or its data cannot be probed; the message says what to change."""


def class_hits(
    train: np.ndarray,
    train_labels: Sequence[int],
    train_subjects: Sequence[str],
    test: np.ndarray,
    test_labels: Sequence[int],
) -> np.ndarray:
    """Learn the classes from features ``(N, C)``, and predict them from ``(M, C)``.

    Args:
        train: Features to learn from.
        train_labels: Their classes.
        train_subjects: Their subjects, at least two.
        test: Features of other subjects.
        test_labels: Their classes.

    Returns:
        ``(M,)`` bool: whether each prediction is right.

    Raises:
        ProbeError: If one subject only is there to learn from.

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

    Each class in turn is held out: the probe learns the subjects from their clips of
    all other classes. What a subject's clips have in common across expressions is all
    that can help it. The mean of each class is subtracted first, or a feature in which
    the classes lie far apart would hide the subjects from a probe that has not seen
    the class.

    Args:
        features: ``(N, C)``.
        subjects: Of each clip; at least two, each with clips of at least two classes.
        labels: Class of each clip, at least three.

    Returns:
        ``(N,)`` bool: whether each prediction is right.

    Raises:
        ProbeError: If there are no such subjects or classes.

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
            'the identity probe needs two subjects and three classes, and the clips '
            f'are of {len(names)} and {len(classes)}.'
        )
    for name in names:
        if len(np.unique(what[who == name])) < 2:
            raise ProbeError(
                f'subject {name} has clips of one class only: the identity probe '
                'learns from other classes than it is tested on.'
            )
    centred = np.array(features, dtype=np.float64)
    for label in classes:
        centred[what == label] -= centred[what == label].mean(axis=0)
    right = np.zeros(len(who), dtype=bool)
    for label in classes:
        test = what == label
        probe = _fit(centred[~test], who[~test], what[~test])
        right[test] = probe.predict(centred[test]) == who[test]
    return right


def largest_share(values: Sequence[object]) -> float:
    """Return the share of the most frequent value, the accuracy of guessing it.

    Example:
        >>> from ifdd_mmaction.analysis import largest_share
        >>> largest_share(['happy', 'happy', 'sad', 'happy'])
        0.75
    """
    _, counts = np.unique(np.asarray(values).astype(str), return_counts=True)
    return float(counts.max() / counts.sum())


def identity_chance(subjects: Sequence[str], labels: Sequence[int]) -> float:
    """Return the accuracy of naming the most frequent subject of each class.

    Example:
        >>> from ifdd_mmaction.analysis import identity_chance
        >>> identity_chance(['anna', 'anna', 'ben', 'ben'], labels=[0, 0, 0, 1])
        0.75
    """
    who, what = np.asarray(subjects), np.asarray(labels)
    parts = [who[what == label] for label in np.unique(what)]
    return sum(largest_share(part) * len(part) for part in parts) / len(who)


def _fit(features: np.ndarray, targets: np.ndarray, groups: np.ndarray) -> Any:
    """Fit a probe whose penalty suits groups that it has not seen."""
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
            f'a probe wants two groups of clips to learn from, not {groups[0]} only.'
        )
    search = GridSearchCV(
        make_pipeline(StandardScaler(), RidgeClassifier()),
        dict(ridgeclassifier__alpha=ALPHAS),
        cv=GroupKFold(min(PARTS, count)),
    )
    # In single precision a faint penalty leaves an ill-conditioned problem.
    return search.fit(features.astype(np.float64), targets, groups=groups)
