import json
import re

import pytest

from ifdd_mmaction.datasets import DatasetError
from tests.helpers.layouts import end_early, make_dfew, make_mafw
from tests.helpers.runners import log_of, tiny_runner

pytestmark = pytest.mark.slow


@pytest.fixture
def dfew(tmp_path):
    """A tree in which a frame of a training clip and of a test clip is cut off."""
    root = make_dfew(tmp_path / 'dfew', 1, frames=8)
    for clip in ('00003', '00010'):
        frame = root / f'Clip/clip_224x224_16f/{clip}/5.jpg'
        frame.write_bytes(frame.read_bytes()[:-40])
    return dict(type='DFEWDataset', data_root=str(root))


def test_training_replaces_a_bad_clip_and_counts_it(dfew, tmp_path):
    # One worker: what it meets has to reach the main process.
    options = {'train_dataloader.batch_size': 7, 'train_cfg.max_epochs': 2}
    tiny_runner(tmp_path / 'run', dfew, **options).train()
    log = log_of(tmp_path / 'run')
    bad = r'3: \S*/00003/5\.jpg: truncated JPEG'
    for epoch in (1, 2):
        summary = (
            rf'train epoch {epoch}: 1 clips could not be read and were replaced, \d+ '
            rf'times in total:\n  {bad}'
        )
        assert re.search(summary, log)


def test_testing_ends_with_an_error(dfew, tmp_path):
    with pytest.raises(DatasetError, match=r'00010/5\.jpg: truncated JPEG'):
        tiny_runner(tmp_path / 'run', dfew).test()


def test_testing_counts_a_bad_clip_as_wrong_where_the_user_says_so(dfew, tmp_path):
    data = dict(dfew, bad_clips='count_wrong')
    metrics = tiny_runner(tmp_path / 'run', data).test()
    report = json.loads((tmp_path / 'run' / 'predictions.json').read_text())
    assert [clip['clip'] for clip in report['unread']] == ['10']
    assert report['unread'][0]['label'] == 2
    assert 'truncated JPEG' in report['unread'][0]['error']
    assert len(report['clips']) == 6
    right = sum(clip['label'] == clip['prediction'] for clip in report['clips'])
    assert metrics['dfer/WAR'] == pytest.approx(right / 7)
    assert metrics['dfer/recall/neutral'] == 0
    log = log_of(tmp_path / 'run')
    assert 'test epoch 1: 1 clips could not be read and were counted as wrong' in log


def test_a_video_that_ends_early_is_replaced_too(tmp_path):
    root = make_mafw(tmp_path / 'mafw', frames=60, storage='video')
    # So early that every window of a clip meets the damage.
    end_early(root / 'data/clips/00004.mp4', kept=0.1)
    data = dict(type='MAFWDataset', data_root=str(root))
    options = {'model.cls_head.num_classes': 11, 'train_dataloader.batch_size': 11}
    tiny_runner(tmp_path / 'run', data, **options).train()
    log = log_of(tmp_path / 'run')
    assert re.search(r'1 clips could not .*\n  00004: \S*00004\.mp4: damaged or', log)
