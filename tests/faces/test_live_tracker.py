"""Tracking of the faces of a live video."""

import numpy as np
import pytest

from ifdd_mmaction.faces import Face, LiveTracker
from ifdd_mmaction.video import Frame

RATE = 25.0
NO_IMAGE = np.zeros((2, 2, 3), np.uint8)


class Script:
    """A detector that returns the faces of a list, and counts its calls."""

    name = 'script'

    def __init__(self, faces):
        self.faces, self.calls = faces, 0

    def __call__(self, frame):
        self.calls += 1
        return self.faces[self.calls - 1]


def at(x):
    return Face(np.array([x, 50.0, x + 40, 90]), np.full((5, 2), x), 0.9)


def follow(faces, frames, **options):
    detector = Script(faces)
    tracker = LiveTracker(detector, **options)
    seen = [
        [(one.id, one.smooth_box[0]) for one in tracker(Frame(i, i / RATE, NO_IMAGE))]
        for i in range(frames)
    ]
    return tracker, detector, seen


def test_between_detections_the_box_moves_on_to_the_last_one():
    faces = [[at(10.0)]] * 3 + [[at(20.0)]]
    _, detector, seen = follow(faces, 12, detect_every=3, smooth=0.04)
    assert detector.calls == 4
    assert seen[:6] == [[]] * 6  # not yet three detections
    assert seen[6] == seen[7] == seen[8] == [(1, 10.0)]
    # Of the way that is left, each frame of 40 ms goes the same share.
    left = [20 - seen[i][0][1] for i in (9, 10, 11)]
    np.testing.assert_allclose(left, 10 * np.exp([-1, -2, -3]))


def test_a_face_that_is_hidden_returns_as_the_same_track_within_the_gap():
    faces = [[at(10)]] * 5 + [[]] * 20 + [[at(12)]] * 2 + [[]] * 40 + [[at(12)]] * 4
    tracker, _, seen = follow(faces, 71, detect_every=1, max_gap=1.0)
    ids = [[number for number, _ in faces] for faces in seen]
    assert ids[2:5] == [[1]] * 3 and ids[5:25] == [[]] * 20 and ids[25:27] == [[1]] * 2
    assert ids[67:69] == [[]] * 2 and ids[69:] == [[2]] * 2
    assert tracker.active == {2}


def test_false_detections_are_not_shown_and_not_held():
    far = [[at(10), at(100 * (2 + i % 9))] for i in range(500)]
    tracker, _, seen = follow(far, 500, detect_every=1, max_gap=0.2)
    assert all([number for number, _ in faces] == [1] for faces in seen[2:])
    assert len(tracker._matcher.active) < 10


@pytest.mark.parametrize('smooth', [0.0, 0.05])
def test_landmarks_follow_the_box(smooth):
    tracker = LiveTracker(Script([[at(10)]] * 3 + [[at(20)]]), 1, smooth=smooth)
    for i in range(4):
        tracks = tracker(Frame(i, i / RATE, NO_IMAGE))
    (one,) = tracks
    assert one.smooth_landmarks[0, 0] == pytest.approx(one.smooth_box[0])
    assert (one.smooth_box[0] == 20) == (smooth == 0)
