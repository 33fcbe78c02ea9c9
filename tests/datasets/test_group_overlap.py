"""Which groups folds share."""

from pathlib import Path

from ifdd_mmaction.datasets import Clip
from ifdd_mmaction.datasets.group_overlap import describe_overlap, group_overlap


def test_groups_on_both_sides_and_in_two_test_folds_are_counted():
    clips = [Clip(name, 0, Path(name)) for name in 'abcdef']
    a, b, c, d, e, f = clips
    groups = dict(a='x', b='x', c='x', d='y', e='z', f='z')
    parts = {
        ('train', 1): [c, d, e, f],
        ('test', 1): [a, b],
        ('train', 2): [a, b, e, f],
        ('test', 2): [c, d],
        ('train', 3): [a, b, c, d],
        ('test', 3): [e, f],
        ('train', 4): clips,  # its test list cannot be read
    }
    report = group_overlap(parts, groups)
    assert report['groups'] == 3
    assert report['folds'] == [
        dict(
            fold=1,
            groups=dict(train=3, test=1),
            clips=dict(train=4, test=2),
            shared=['x'],
            shared_clips=dict(train=1, test=2),
        ),
        dict(
            fold=2,
            groups=dict(train=2, test=2),
            clips=dict(train=4, test=2),
            shared=['x'],
            shared_clips=dict(train=2, test=1),
        ),
        dict(
            fold=3,
            groups=dict(train=2, test=1),
            clips=dict(train=4, test=2),
            shared=[],
            shared_clips=dict(train=0, test=0),
        ),
    ]
    assert report['pairs'] == [
        dict(folds=[1, 2], shared=['x'], shared_clips=[2, 1]),
        dict(folds=[1, 3], shared=[], shared_clips=[0, 0]),
        dict(folds=[2, 3], shared=[], shared_clips=[0, 0]),
    ]
    said = describe_overlap(report).splitlines()
    assert '| 1 | 3 | 1 | 1 | 2 | 2 |' in said and '| 3 | 2 | 1 | 0 | 0 | 2 |' in said
    assert '| 1, 2 | 1 | 2 + 1 |' in said
