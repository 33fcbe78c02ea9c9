"""Windows, face crops and the test pipeline of inference."""

import numpy as np
import pytest

from ifdd_mmaction.apis.face_clips import cut_clips, plan_windows, smooth_windows
from ifdd_mmaction.faces import Track
from ifdd_mmaction.video import Frame
from tests.helpers.golden import ROOT
from tests.helpers.interpreters import run_python
from tests.helpers.scenes import numbered_frames, numbers_of


def track(first, last, number=1):
    frames = np.arange(first, last + 1)
    n = len(frames)
    boxes = np.tile([0.0, 0, 64, 48], (n, 1))
    return Track(number, frames, boxes, np.full((n, 5, 2), np.nan), np.ones(n))


def test_windows_slide_from_the_first_frame_to_the_last():
    seconds = np.arange(100) / 25
    windows = plan_windows(track(10, 90), seconds, 16, window=1.0, stride=0.5)
    starts = [w.start for w in windows]
    np.testing.assert_allclose(starts, [0.4, 0.9, 1.4, 1.9, 2.4, 2.6])
    assert all(w.end - w.start == pytest.approx(1.0) for w in windows)
    assert windows[0].frames[0] == 10 and windows[-1].frames[-1] == 90
    for window in windows:
        assert len(window.frames) == 16
        assert abs(window.frames[0] - window.start * 25) < 0.51
        assert abs(window.frames[-1] - window.end * 25) < 0.51


def test_a_window_of_as_many_frames_takes_each_once():
    seconds = np.arange(50) / 25
    (first, *_) = plan_windows(track(0, 49), seconds, 16, window=15 / 25, stride=0.2)
    assert first.frames.tolist() == list(range(16))


def test_frames_are_chosen_by_time_where_the_rate_varies():
    # one second at 25 frames per second, one at 5
    seconds = np.concatenate([np.arange(25) / 25, 1 + np.arange(6) / 5])
    (window,) = plan_windows(track(0, 30), seconds, 11, window=2.0, stride=1.0)
    np.testing.assert_allclose(
        seconds[window.frames], np.linspace(0, 2, 11), atol=0.021
    )


def test_a_track_shorter_than_a_window_is_one_window():
    seconds = np.arange(10) / 25
    (window,) = plan_windows(track(2, 5), seconds, 16, window=2.0, stride=0.5)
    assert (window.start, window.end) == (seconds[2], seconds[5])
    assert set(window.frames) == {2, 3, 4, 5}
    assert (np.diff(window.frames) >= 0).all()


def read(count, log):
    for i, image in enumerate(numbered_frames(count)):
        log.append(i)
        yield Frame(i, i / 25, image)


def test_clips_have_their_frames_and_are_yielded_without_delay():
    seconds = np.arange(40) / 25
    tracks = [track(0, 39), track(5, 20, number=2)]
    windows = [
        w for t in tracks for w in plan_windows(t, seconds, 8, window=0.4, stride=0.2)
    ]
    seen, log = [], []
    for window, faces in cut_clips(read(40, log), windows, None, 32):
        assert numbers_of(faces) == window.frames.tolist()
        assert log[-1] == window.frames[-1]
        seen.append((window.track.id, window.start))
    assert sorted(seen) == [(w.track.id, w.start) for w in windows]


def test_reading_ends_with_the_last_window():
    seconds = np.arange(40) / 25
    windows = plan_windows(track(0, 9), seconds, 8, window=0.4, stride=0.2)
    log = []
    assert list(cut_clips(read(40, log), windows, None, 32))
    assert log[-1] == 9


def test_faces_are_cropped_once_and_clips_do_not_share_memory():
    seconds = np.arange(20) / 25
    windows = plan_windows(track(0, 19), seconds, 8, window=0.4, stride=0.04)
    clips = [faces for _, faces in cut_clips(read(20, []), windows, 'square', 24)]
    assert clips[0][0].shape == (24, 24, 3)
    images = [face for faces in clips for face in faces]
    for i, face in enumerate(images):
        assert not any(np.shares_memory(face, other) for other in images[:i])


def test_smoothing_keeps_sums_and_order_of_time():
    shares, moments = np.eye(3)[[0, 0, 0, 1, 0, 0, 0]], np.arange(7) / 4
    smooth = smooth_windows(shares, moments, 0.25)
    np.testing.assert_allclose(smooth.sum(1), 1)
    assert smooth[3, 1] < 0.5 and smooth[3, 1] == smooth[:, 1].max()
    np.testing.assert_allclose(smooth[2], smooth[4])
    # The weight is exp(-1/2) at a distance of one step, exp(-2) at two.
    heights = np.exp(-(np.arange(-3, 4) ** 2) / 2)
    assert smooth[3, 1] == pytest.approx(1 / heights.sum())
    for sigma in (0, 1e-9):
        np.testing.assert_array_equal(smooth_windows(shares, moments, sigma), shares)


def test_smoothing_is_over_time_not_over_windows():
    """A window close to the last one has almost no effect on those before."""
    moments = np.array([0, 1, 2, 3, 3.001])
    shares = np.array([[1, 0], [1, 0], [1, 0], [0, 1], [0, 1]], float)
    even = smooth_windows(shares[:4], moments[:4], 1.0)
    close = smooth_windows(shares, moments, 1.0)
    np.testing.assert_allclose(close[:4], even, atol=1e-3)
    np.testing.assert_allclose(close[4], close[3], atol=1e-3)


@pytest.mark.slow
def test_the_pipeline_needs_no_default_scope():
    """open-mmlab/mmengine#1044: with an ONNX file no default scope is set."""
    script = (
        'from mmengine.config import Config\n'
        'from ifdd_mmaction.apis.face_clips import ClipPipeline\n'
        f'cfg = Config.fromfile({str(ROOT / "configs/ifdd_vit_sample.py")!r})\n'
        'print(ClipPipeline(cfg).clip_len)'
    )
    result = run_python(['-c', script])
    assert result.stdout.strip().endswith('16'), result.stderr
