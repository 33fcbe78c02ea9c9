"""Expressions of the faces of a live video."""

import tracemalloc
from threading import Event

import numpy as np
import pytest

from ifdd_mmaction.apis import DFERInferencer, LiveRecognizer
from ifdd_mmaction.apis import live as live_module
from ifdd_mmaction.faces import Face
from ifdd_mmaction.video import Frame
from tests.helpers.checkpoints import CONFIG, Brightness

RATE = 25.0


def inferencer(**kwargs):
    options = dict(
        show_progress=False, predictor=Brightness(), window=1.0, smooth=0,
        detector='none',
    )  # fmt: skip
    return DFERInferencer(CONFIG, **{**options, **kwargs})


def frame(index, gray, edge=64):
    return Frame(index, index / RATE, np.full((edge, edge, 3), gray, np.uint8))


def watch(tool, grays):
    """Return all predictions, each made before the next frame."""
    found = []
    with LiveRecognizer(tool) as live:
        for index, gray in enumerate(grays):
            live(frame(index, gray))
            found += live.finish()
    return found


def test_a_window_is_the_last_second_every_half_second():
    found = watch(inferencer(), [0] * 50 + [255] * 51)
    seconds = np.array([prediction.seconds for prediction in found])
    assert 1.0 <= seconds[0] <= 1.1  # a face is shown after three detections
    np.testing.assert_allclose(np.diff(seconds), 0.52, atol=0.021)
    bright = [prediction.raw[0] for prediction in found]
    # The share of the window that is after second 2.
    np.testing.assert_allclose(bright, (seconds - 2).clip(0, 1), atol=0.07)
    assert all(prediction.track == 1 for prediction in found)


def test_the_clip_is_that_of_a_file():
    grays = list(range(0, 200, 4))
    tool = inferencer(stride=0.2)
    video = np.stack([frame(0, gray).image for gray in grays])
    (track,) = tool.infer_video(video).tracks
    of_file = {round(w.end, 2): w.probabilities for w in track.windows}
    found = watch(inferencer(stride=0.04), grays)
    same = [p for p in found if round(p.seconds, 2) in of_file]
    assert len(same) >= 4
    for prediction in same:
        expected = of_file[round(prediction.seconds, 2)]
        np.testing.assert_allclose(prediction.raw, expected, atol=0.01)


def test_smoothing_uses_the_past_alone():
    raw, smooth = (watch(inferencer(smooth=s), [0] * 50 + [255] * 51) for s in (0, 0.5))
    expected = raw[0].raw
    for i, prediction in enumerate(smooth):
        if i:
            passed = prediction.seconds - smooth[i - 1].seconds
            share = 1 - np.exp(-passed / 0.5)
            expected = expected + share * (raw[i].raw - expected)
        np.testing.assert_allclose(prediction.smoothed, expected, atol=1e-6)
        np.testing.assert_allclose(prediction.raw, raw[i].raw)


class Held(Brightness):
    """A predictor that waits until it is let go."""

    def __init__(self):
        super().__init__()
        self.go = Event()

    def __call__(self, clips):
        self.go.wait()
        return super().__call__(clips)


def test_a_slow_model_gets_no_queue_and_frames_go_on():
    predictor = Held()
    with LiveRecognizer(inferencer(predictor=predictor)) as live:
        for index in range(500):
            faces = live(frame(index, 9))
        assert faces[0].probabilities is None and not live.take()
        predictor.go.set()
        (first,) = live.finish()
        assert first.seconds < 1.2
        (face,) = live(frame(500, 9))
        (second,) = live.finish()
        assert second.seconds == 20 and (face.probabilities == first.smoothed).all()
    assert len(predictor.batches) == 2


class Crowd:
    """Finds several faces, each of which is replaced by another after a while."""

    name = 'crowd'

    def __init__(self, count):
        self.count, self.calls = count, 0

    def __call__(self, image):
        self.calls += 1
        shift = 12 * (self.calls // 40 % 2)
        lefts = [10.0 + 25 * k + shift for k in range(self.count)]
        return [Face(np.array([x, 5, x + 10, 15]), None, 0.9) for x in lefts]


def test_what_is_held_is_bounded_over_a_long_stream(monkeypatch):
    monkeypatch.setattr(live_module, 'MAX_FACES', 2)
    tool = inferencer(window=0.5, stride=2.0, max_gap=0.1, crop_size=32, detect_every=2)
    tool.settings['crop'] = 'square'
    image = np.zeros((24, 96, 3), np.uint8)
    tool.detector = Crowd(3)
    peaks, held, tracks, batches = [], [], set(), tool.model.batches
    with LiveRecognizer(tool) as live:
        tracemalloc.start()
        for index in range(1500):
            # A camera of 100 frames a second.
            faces = live(Frame(index, index / 100, image))
            tracks |= {face.track for face in faces}
            held.append(live.held)
            if index % 100 == 99:
                live.finish()
            if index in (499, 1499):
                peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert len(tracks) > 30 and len(batches) > 5
    assert max(batch[0] for batch in batches) == 2
    # Half a second of two faces, with a clip of 16 frames.
    assert 80 < max(held) <= 2 * (4 * 16 + 2)
    # A crop has 3 KB; those of all frames, 6 MB.
    assert peaks[1] - peaks[0] < 5e5


def test_a_hidden_face_is_neither_shown_nor_predicted():
    class Blinks:
        name = 'blinks'
        visible = True

        def __call__(self, image):
            box = np.array([0.0, 0, 64, 64])
            return [Face(box, None, 0.9)] if self.visible else []

    tool = inferencer(stride=0.1)
    tool.detector = Blinks()
    with LiveRecognizer(tool) as live:
        seen = []
        for index in range(60):
            tool.detector.visible = not 40 <= index < 50
            seen.append([face.track for face in live(frame(index, index))])
            made = [prediction.seconds for prediction in live.finish()]
            assert not made or not 40 <= index < 50
    assert seen[39] == [1] and seen[40:50] == [[]] * 10 and seen[50:] == [[1]] * 10


def test_an_error_of_the_model_is_raised():
    class Broken(Brightness):
        def __call__(self, clips):
            raise RuntimeError('no memory')

    with pytest.raises(RuntimeError, match='no memory'):
        watch(inferencer(predictor=Broken()), [0] * 60)
