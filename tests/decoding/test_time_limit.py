import ctypes
import os
import threading

import pytest

from ifdd_mmaction.datasets import DatasetError
from ifdd_mmaction.datasets.storage import VideoClipSource
from ifdd_mmaction.decoding import StuckError, VideoError, VideoReader, time_limit
from ifdd_mmaction.decoding.pyav_decoder import PyAVVideo
from ifdd_mmaction.errors import InputError
from ifdd_mmaction.video import FileVideo
from tests.helpers.golden import ROOT
from tests.helpers.interpreters import run_python
from tests.helpers.layouts import make_mafw
from tests.helpers.layouts import write_video as write_clip
from tests.helpers.runners import log_of, tiny_runner

pytestmark = pytest.mark.slow


@pytest.fixture(autouse=True)
def _few_seconds(monkeypatch):
    monkeypatch.setenv(time_limit.SETTING, '3')
    monkeypatch.setattr(time_limit, '_stuck', set())


@pytest.fixture
def hanging(monkeypatch, tmp_path):
    """Have the decoder of files named 00004.mp4 never come back from C.

    Returns a file of the processes that opened a video, a line each time.
    """
    frames, opened = PyAVVideo.frames, tmp_path / 'opened'
    opened.touch()

    def note(self):
        with opened.open('a') as file:
            file.write(f'{os.getpid()}\n')
        return self

    def never(self):
        if self.path.endswith('00004.mp4'):
            ctypes.CDLL(None).pause()
        yield from frames(self)

    monkeypatch.setattr(PyAVVideo, 'frames', never)
    monkeypatch.setattr(PyAVVideo, '__enter__', note)
    return opened


def test_work_that_goes_on_may_take_longer_than_the_limit(monkeypatch):
    clock = time_limit.Watch('a.mp4')
    pause = threading.Event()

    def work():
        for _ in range(40):
            pause.wait(0.1)
            clock.step()
        return 'done'

    assert clock.run(work) == 'done'


def test_what_the_work_raises_is_raised():
    with pytest.raises(ZeroDivisionError):
        time_limit.Watch('a.mp4').run(lambda: 1 / 0)


@pytest.mark.parametrize('text', ['0', '-1', 'nan', 'inf', 'soon', ''])
def test_a_limit_that_is_none_is_refused(text, monkeypatch):
    monkeypatch.setenv(time_limit.SETTING, text)
    with pytest.raises(VideoError, match=r'IFDD_FRAME_SECONDS.*above 0'):
        time_limit.Watch('a.mp4').run(lambda: None)


def test_a_decoder_that_hangs_is_left_and_the_file_is_named(tmp_path, hanging):
    path = tmp_path / '00004.mp4'
    write_clip(path, 8)
    said = []
    for read, error in (
        (lambda: VideoClipSource(path).read([0]), DatasetError),
        (lambda: len(VideoClipSource(path)), DatasetError),
        (lambda: list(VideoClipSource(path).frames()), DatasetError),
        (lambda: list(FileVideo(path)), InputError),
        (lambda: len(VideoReader(path)), StuckError),
    ):
        with pytest.raises(
            error, match=r'00004\.mp4: .*no frame was decoded within 3 s'
        ) as e:
            read()
        said.append(str(e.value))
    # It is waited for once.
    assert 'earlier in this run' not in said[0]
    assert all('earlier in this run' in line for line in said[1:])


@pytest.mark.parametrize('workers', [0, 1])
def test_training_goes_on_without_a_video_that_hangs(tmp_path, hanging, workers):
    root = make_mafw(tmp_path / 'mafw', frames=8, storage='video')
    data = dict(type='MAFWDataset', data_root=str(root))
    options = {
        'model.cls_head.num_classes': 11,
        'train_dataloader.batch_size': 11,
        'train_cfg.max_epochs': 3,
        'train_dataloader.num_workers': workers,
        'train_dataloader.persistent_workers': workers > 0,
    }
    runner = tiny_runner(tmp_path / 'run', data, **options)
    runner.train()
    log = log_of(tmp_path / 'run')
    for epoch in (1, 2, 3):
        assert f'train epoch {epoch}: 1 clips could not be read' in log
    # Later workers know, and none of them has a thread that hangs.
    assert (
        '00004.mp4: no frame was decoded' not in log[log.index('train epoch 1') + 300 :]
    )
    assert log.count('earlier in this run no frame was decoded') >= 2
    processes = {int(line) for line in hanging.read_text().split()}
    assert len(processes - {os.getpid()}) == 2 * workers


def test_a_run_that_wants_every_clip_ends_with_one_line(tmp_path):
    root = make_mafw(tmp_path / 'mafw', frames=8, storage='video')
    hang = tmp_path / 'hanging_decoder.py'
    hang.write_text(
        'import ctypes\n'
        'from ifdd_mmaction.decoding.pyav_decoder import PyAVVideo\n'
        'frames = PyAVVideo.frames\n'
        'def never(self):\n'
        "    if self.path.endswith('00004.mp4'):\n"
        '        ctypes.CDLL(None).pause()\n'
        '    yield from frames(self)\n'
        'PyAVVideo.frames = never\n'
    )
    config = tmp_path / 'config.py'
    config.write_text(
        f"_base_ = ['{ROOT}/tests/data/tiny_dfew.py']\n"
        "custom_imports = dict(imports=['ifdd_mmaction', 'hanging_decoder'])\n"
        "data = dict(_delete_=True, type='MAFWDataset', "
        f"data_root='{root}', pipeline=_base_.train_dataloader.dataset.pipeline)\n"
        'train_dataloader = dict(batch_size=11, num_workers=1, '
        "dataset=dict(data, bad_clips='error'))\n"
        'val_dataloader = val_cfg = val_evaluator = None\n'
        'model = dict(cls_head=dict(num_classes=11))\n'
    )
    result = run_python(
        [ROOT / 'tools/train.py', config, '--work-dir', tmp_path / 'w'],
        env=dict(
            PATH='/usr/bin:/bin',
            HOME=str(tmp_path),
            PYTHONPATH=f'{ROOT}:{tmp_path}',
            OMP_NUM_THREADS='1',
            IFDD_FRAME_SECONDS='3',
        ),
    )
    assert result.returncode == 2, result.stderr[-3000:]
    last = result.stderr.strip().splitlines()[-1]
    assert '00004.mp4: no frame was decoded within 3 s' in last
    assert 'Traceback' not in result.stderr
