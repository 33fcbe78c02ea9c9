import numpy as np
import pytest

from ifdd_mmaction.analysis.score_parts import ScoreParts
from ifdd_mmaction.errors import InputError


def fill(parts, indexes, name, value=0.0):
    for i in indexes:
        if parts.missing(i, [name]):
            row = {name: np.array([i + value]), 'text': np.array('x' * i)}
            parts.add(i, row)


def test_what_is_written_is_not_missing_again(tmp_path):
    parts = ScoreParts(tmp_path, 5, 2, dict(seed=1))
    fill(parts, range(3), 'a')  # the third clip is in no file yet
    parts = ScoreParts(tmp_path, 5, 2, dict(seed=1))
    missing = [parts.missing(i, ['a', 'b']) for i in range(5)]
    assert missing == [['b'], ['b'], *[['a', 'b']] * 3]
    assert 'a' not in parts
    fill(parts, range(5), 'a', value=10)
    assert parts['a'].tolist() == [[0], [1], [12], [13], [14]]
    assert parts['text'].tolist() == ['', 'x', 'xx', 'xxx', 'xxxx']


def test_a_new_name_joins_the_old_ones(tmp_path):
    fill(ScoreParts(tmp_path, 3, 2, {}), range(3), 'a')
    fill(ScoreParts(tmp_path, 3, 2, {}), range(3), 'b', value=5)
    parts = ScoreParts(tmp_path, 3, 2, {})
    assert parts['a'].tolist() == [[0], [1], [2]]
    assert parts['b'].tolist() == [[5], [6], [7]] and 'c' not in parts


def test_scores_of_something_else_are_refused(tmp_path):
    ScoreParts(tmp_path, 3, 2, dict(seed=1, clips=('a', 'b')))
    ScoreParts(tmp_path, 3, 2, dict(seed=1, clips=('a', 'b')))
    with pytest.raises(InputError, match='scores of another clips, seed: use another'):
        ScoreParts(tmp_path, 3, 2, dict(seed=2, clips=('a',)))
