import numpy as np
import pytest

from ifdd_mmaction.faces import Face, FaceTracker, Track, fill_gaps, smooth_track
from ifdd_mmaction.faces.matching import iou

RATE = 25.0


def at(x, y=50.0, edge=40.0):
    box = np.array([x, y, x + edge, y + edge])
    return Face(box, np.full((5, 2), x), 0.9)


def follow(frames, **kwargs):
    tracker = FaceTracker(**kwargs)
    for i, faces in enumerate(frames):
        tracker.update(i, i / RATE, faces)
    return tracker


def test_iou():
    a = np.array([[0.0, 0, 2, 2]])
    b = np.array([[0.0, 0, 2, 2], [1, 1, 3, 3], [5, 5, 6, 6]])
    np.testing.assert_allclose(iou(a, b), [[1, 1 / 7, 0]])


def test_two_people_keep_their_tracks_in_any_order_of_detection():
    frames = [
        [at(10 + i), at(200 - i)] if i % 2 else [at(200 - i), at(10 + i)]
        for i in range(50)
    ]
    one, two = follow(frames).finish()
    assert (one.id, two.id) == (1, 2)
    assert len(one) == len(two) == 50
    assert (np.diff(one.boxes[:, 0]) == -1).all()
    assert (np.diff(two.boxes[:, 0]) == 1).all()


@pytest.mark.parametrize('missing, tracks', [(20, 1), (40, 2)])
def test_a_track_continues_after_a_short_gap_only(missing, tracks):
    frames = [[at(10)]] * 10 + [[]] * missing + [[at(14)]] * 10
    found = follow(frames, max_gap=1.0).finish()
    assert len(found) == tracks
    assert found[0].frames[0] == 0 and found[-1].frames[-1] == 19 + missing
    assert sum(map(len, found)) == 20


def test_a_face_at_another_position_starts_a_track():
    (one, two) = follow([[at(10)]] * 5 + [[at(40)]] * 5).finish()
    assert one.frames.tolist() == [0, 1, 2, 3, 4]
    assert two.frames.tolist() == [5, 6, 7, 8, 9]


def test_false_detections_are_dropped_and_counted():
    tracker = follow([[at(10)], [at(10), at(200)], [at(10)], [at(10)]], min_faces=3)
    (track,) = tracker.finish()
    assert track.boxes[0, 0] == 10 and track.id == 1
    assert tracker.dropped == 1


def test_gaps_are_filled_linearly_in_time_not_in_frames():
    seconds = np.array([0.0, 0.1, 0.2, 1.0, 1.1])
    (track,) = follow([[at(0)], [at(10)], [], [], [at(30)]]).finish()
    full = fill_gaps(track, seconds)
    assert full.frames.tolist() == [0, 1, 2, 3, 4]
    np.testing.assert_allclose(full.boxes[:, 0], [0, 10, 12, 28, 30])
    np.testing.assert_allclose(full.landmarks[:, 3, 1], [0, 10, 12, 28, 30])
    assert np.isnan(full.scores).tolist() == [False, False, True, True, False]


def test_smoothing_removes_jitter_and_keeps_the_position():
    rng = np.random.default_rng(0)
    boxes = np.array([10.0, 20, 50, 60]) + rng.normal(0, 2, (100, 4))
    points = np.full((100, 5, 2), np.nan)
    track = Track(1, np.arange(100), boxes, points, np.ones(100))
    smooth = smooth_track(track, 2.5)
    assert smooth.boxes.std(axis=0).max() < 0.5 * boxes.std(axis=0).min()
    np.testing.assert_allclose(smooth.boxes.mean(0), boxes.mean(0), atol=0.5)
    assert smooth_track(track, 0) is track


@pytest.mark.parametrize('step', [1.2, 40.0])
def test_tracks_continue_if_detections_are_further_apart_than_max_gap(step):
    tracker = FaceTracker(max_gap=1.0)
    for i, faces in enumerate([[at(10)]] * 4 + [[]] + [[at(10)]] * 4):
        tracker.update(i, i * step, faces)
    # The face was not found in one search: that gap is too long.
    assert [track.frames.tolist() for track in tracker.finish()] == [
        [0, 1, 2, 3],
        [5, 6, 7, 8],
    ]


def test_a_large_sigma_does_not_increase_memory():
    track = Track(1, np.arange(9), np.eye(9, 4), np.zeros((9, 5, 2)), np.ones(9))
    assert np.isfinite(smooth_track(track, 1e12).boxes).all()
