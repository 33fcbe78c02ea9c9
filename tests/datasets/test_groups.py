"""Files of groups, and parts that share none."""

import hashlib
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from sklearn.model_selection import StratifiedGroupKFold

from ifdd_mmaction.datasets import Clip, DatasetError
from ifdd_mmaction.datasets.groups import assign_groups, read_groups
from tests.helpers.layouts import write_lines


def read(tmp_path, lines, clips, **options):
    write_lines(tmp_path / 'groups.csv', lines)
    return read_groups(tmp_path / 'groups.csv', clips, **options)


@pytest.mark.parametrize('header', [[], ['clip,group']])
def test_every_clip_gets_its_group(header, tmp_path):
    lines = [*header, '"a, 1.mp4",Zoë', ' b , ben ', '', 'b,ben', 'other,eve']
    assert read(tmp_path, lines, ['b', 'a, 1.mp4']) == {'b': 'ben', 'a, 1.mp4': 'Zoë'}


def test_names_are_compared_by_the_key_of_the_dataset(tmp_path):
    found = read(tmp_path, ['00008.mp4,anna'], ['8'], key=lambda n: str(int(n[:5])))
    assert found == {'8': 'anna'}


@pytest.mark.parametrize('lines, message', [
    (['a,1', 'b,1', 'a,2'], 'groups.csv:3: clip a is in group 2, in an earlier line in '
     'group 1'),
    (['a,1'], '1 of 2 clips have no group, add them:\n  b'),
    (['clip,subject', 'b,1'], '1 of 2 clips have no group, add them:\n  a'),
    (['a,1', 'b'], "groups.csv:2: 'b' is not a clip and a group"),
    (['a,1', 'b,'], "groups.csv:2: 'b,' is not a clip and a group"),
    (['a,1,2', 'b,1'], "groups.csv:1: 'a,1,2' is not a clip and a group"),
])  # fmt: skip
def test_what_is_wrong_is_named(lines, message, tmp_path):
    with pytest.raises(DatasetError) as caught:
        read(tmp_path, lines, ['a', 'b'])
    assert message in str(caught.value)


def draw(seed, clips=600, groups=60, classes=5):
    """Draw clips of classes of different sizes in groups of different sizes."""
    rng = np.random.default_rng(seed)
    sizes = rng.dirichlet(np.full(groups, 0.7))
    member = rng.choice(groups, clips, p=sizes)
    # Each group has its own frequencies of the classes.
    tastes = rng.dirichlet(np.arange(1.0, classes + 1), groups)
    labels = [int(rng.choice(classes, p=tastes[g])) for g in member]
    names = [f'{i:03d}' for i in range(clips)]
    rows = [Clip(n, label, Path(n)) for n, label in zip(names, labels, strict=True)]
    return rows, {n: f'film {g}' for n, g in zip(names, member, strict=True)}


def imbalance(labels, part, parts):
    """Return the mean over classes of the spread of their fractions over the parts."""
    counts = np.zeros((parts, labels.max() + 1))
    np.add.at(counts, (part, labels), 1)
    return (counts / counts.sum(0)).std(0).mean()


@pytest.mark.parametrize('seed', range(12))
def test_folds_share_no_group_and_are_as_balanced_as_those_of_scikit_learn(seed):
    clips, groups = draw(seed)
    part = assign_groups(clips, groups, [0.2] * 5, seed)
    assert set(part) == set(range(5))
    folds = {}
    for clip, k in zip(clips, part.tolist(), strict=True):
        assert folds.setdefault(groups[clip.name], k) == k
    # scikit-learn goes through groups of equal spread in the order of their names.
    order = sorted(folds, key=lambda name: _hash(seed, name))
    labels = np.array([clip.label for clip in clips])
    number = np.array([order.index(groups[clip.name]) for clip in clips])
    theirs = np.zeros(len(clips), int)
    for k, (_, test) in enumerate(
        StratifiedGroupKFold(5).split(labels, labels, number)
    ):
        theirs[test] = k
    # Not the same folds: of equally good ones, rounding decides there.
    assert imbalance(labels, part, 5) <= imbalance(labels, theirs, 5) + 1e-9
    assert imbalance(labels, part, 5) < 0.5 * imbalance(labels, number % 5, 5)


def _hash(seed, name):
    return hashlib.sha256(f'{seed}:{name}'.encode()).digest()


@pytest.mark.parametrize('fraction', [0.1, 0.25, 0.4])
def test_parts_of_different_size_have_their_fraction_of_each_class(fraction):
    clips, groups = draw(3, clips=3000, groups=400)
    part = assign_groups(clips, groups, [1 - fraction, fraction])
    total = Counter(clip.label for clip in clips)
    chosen = Counter(c.label for c, k in zip(clips, part, strict=True) if k)
    for label, count in total.items():
        assert chosen[label] / count == pytest.approx(fraction, abs=0.05)


def test_only_names_groups_and_seed_decide():
    clips, groups = draw(5)
    first = assign_groups(clips, groups, [0.5, 0.5], 1)
    again = assign_groups(clips[::-1], dict(reversed(groups.items())), [0.5, 0.5], 1)
    assert (first == again[::-1]).all()
    assert (first != assign_groups(clips, groups, [0.5, 0.5], 2)).any()


@pytest.mark.parametrize('groups, message', [
    # One film has all clips of a class.
    ('aaaabbcc', 'class fear: part 2 of 2 gets none of its 4 clips, which are in 1 '
     'groups, 4 of them in group a: make fewer parts, or smaller groups'),
    ('aaaaaaaa', 'gets none of its 4 clips, which are in 1 groups, 4 of them in group'),
])  # fmt: skip
def test_a_group_that_is_too_large_is_named(groups, message):
    clips = [Clip(str(i), i // 4, Path(str(i))) for i in range(8)]
    group_of = dict(zip('01234567', groups, strict=True))
    with pytest.raises(DatasetError) as caught:
        assign_groups(clips, group_of, [0.5, 0.5], classes=['fear', 'joy'])
    assert message in str(caught.value)
