import numpy as np
import pytest

from ifdd_mmaction.analysis import read_timed_clips
from ifdd_mmaction.datasets import DatasetError

ENVELOPE = np.array([[0, 0.5, 1], [1, 0.5, 0]], dtype=np.float16)


def write(root, rows='id,label,subject\n7,1,12\n4,7,3\n', envelope=ENVELOPE):
    (root / 'clips.csv').write_text(rows)
    np.save(root / 'envelope.npy', envelope)
    return root


@pytest.mark.parametrize('name', ['id', 'video_name'])
def test_rows_of_both_files_belong_together(tmp_path, name):
    clips = read_timed_clips(write(tmp_path, f'{name},label,subject\n7,1,12\n4,7,3\n'))
    assert list(clips) == ['7', '4']
    assert clips['7'][:2] == (0, '12') and clips['4'][:2] == (6, '3')
    np.testing.assert_array_equal(clips['4'].envelope, [1, 0.5, 0])


@pytest.mark.parametrize('missing', ['clips.csv', 'envelope.npy'])
def test_a_set_of_unknown_timing_is_refused(tmp_path, missing):
    (write(tmp_path) / missing).unlink()
    with pytest.raises(DatasetError, match=rf'no file .*{missing}.*rendered sets only'):
        read_timed_clips(tmp_path)


@pytest.mark.parametrize('change, message', [
    (dict(envelope=ENVELOPE[:1]), r'array of \(1, 3\) for the 2 clips'),
    (dict(envelope=ENVELOPE[0]), r'array of \(3,\)'),
    (dict(envelope=np.array([[0, np.nan]] * 2)), 'finite'),
    (dict(envelope=np.array([['a'], ['b']])), 'not an array of numbers'),
    (dict(rows='id,label\n7,1\n4,7\n'), r'clips\.csv:2: .*no name, label and subject'),
    (dict(rows='id,label,subject\n7,1,1\n4,x,3\n'), r'clips\.csv:3: '),
    (dict(rows='id,label,subject\n7,1,1\n7,2,1\n'), 'clip 7 is listed twice'),
])  # fmt: skip
def test_what_does_not_fit_is_named(tmp_path, change, message):
    with pytest.raises(DatasetError, match=message):
        read_timed_clips(write(tmp_path, **change))
