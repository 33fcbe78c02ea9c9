import numpy as np
import pytest

from ifdd_mmaction.analysis import (
    ProbeError,
    class_hits,
    identity_chance,
    identity_hits,
    largest_share,
)

CLASSES, SUBJECTS = 5, 12


def clips(seed=0):
    """Return labels and subjects of 60 clips, and features that encode one of them."""
    rng = np.random.default_rng(seed)
    labels, subjects = (
        part.ravel() for part in np.mgrid[:CLASSES, :SUBJECTS].astype(int)
    )
    codes = np.random.default_rng(9)
    of_class, of_subject = codes.normal(size=(2, 20, 16))
    noise = 0.1 * rng.normal(size=(len(labels), 16))
    names = [f's{i}' for i in subjects]
    return labels, names, of_class[labels] + noise, of_subject[subjects] + noise


def test_the_class_is_predicted_from_a_feature_that_encodes_it():
    train_labels, subjects, train_class, train_subject = clips(0)
    known = train_labels, subjects
    labels, _, test_class, test_subject = clips(1)
    assert class_hits(train_class, *known, test_class, labels).all()
    chance = class_hits(train_subject, *known, test_subject, labels)
    assert chance.shape == labels.shape and chance.mean() < 0.4


def test_the_subject_is_predicted_from_a_feature_that_encodes_it():
    labels, subjects, of_class, of_subject = clips()
    assert identity_hits(of_subject, subjects, labels).all()
    assert identity_hits(of_class, subjects, labels).mean() < 0.3
    # At any distance of the classes.
    far = 100 * np.eye(CLASSES, of_class.shape[1])[labels]
    assert identity_hits(of_subject + far, subjects, labels).all()


def test_a_clip_is_not_recognized_by_its_own_class():
    # Every clip has a unique code: only a probe trained on it can predict its subject.
    labels, subjects, *_ = clips()
    unique = np.eye(len(labels))
    assert identity_hits(unique, subjects, labels).mean() < 0.2


def test_subjects_that_cannot_be_probed_are_named():
    with pytest.raises(ProbeError, match='subject b has clips of one class only'):
        identity_hits(np.zeros((4, 1)), ['a', 'a', 'a', 'b'], [0, 1, 2, 0])
    with pytest.raises(ProbeError, match=r'two subjects .* have 1 and 2'):
        identity_hits(np.zeros((2, 1)), ['a', 'a'], [0, 1])
    with pytest.raises(ProbeError, match='all training clips are of a'):
        class_hits(np.zeros((2, 1)), [0, 1], ['a', 'a'], np.zeros((1, 1)), [0])


def test_chance():
    assert largest_share([3, 3, 3, 1]) == 0.75
    assert identity_chance(['a', 'b', 'a', 'a'], [0, 0, 1, 1]) == 0.75
    labels, subjects, *_ = clips()
    assert identity_chance(subjects, labels) == pytest.approx(1 / SUBJECTS)
