"""Whatever a face detector may return."""

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from ifdd_mmaction import faces
from tests.fuzz import draws

pytestmark = pytest.mark.slow

PIXELS = st.integers(-40, 80) | st.floats(-40, 80)
#: Of no width too: detectors clip boxes at the edge of the frame.
BOXES = st.tuples(PIXELS, PIXELS, st.floats(0, 60), st.floats(0, 60)).map(
    lambda b: np.array([b[0], b[1], b[0] + b[2], b[1] + b[3]], float)
)
POINTS = st.lists(PIXELS, min_size=10, max_size=10).map(
    lambda p: np.array(p, float).reshape(5, 2)
)
FACES = st.builds(faces.Face, BOXES, st.none() | POINTS, st.floats(0, 1))
EMPTY = faces.Face(np.array([3.0, 3, 3, 9]), None, 0.5)
LOW, HIGH = (faces.Face(np.array([0.0, 0, 1, y]), None, 0.5) for y in (4, 12))


@draws(300)
@given(
    video=st.lists(st.lists(FACES, max_size=3), max_size=6),
    step=st.floats(0, 1),
    sigma=st.floats(0, 3),
)
@example(video=[[EMPTY], [EMPTY], [EMPTY]], step=0.1, sigma=1.0)
@example(video=[[LOW], [], [HIGH]], step=2.2250738585072014e-308, sigma=0.0)
def test_every_face_is_in_one_track(video, step, sigma):
    seconds = step * np.arange(len(video))
    tracker = faces.FaceTracker(min_faces=1)
    for i, found in enumerate(video):
        tracker.update(i, seconds[i], found)
    tracks = tracker.finish()
    assert sum(map(len, tracks)) == sum(map(len, video))
    for track in tracks:
        whole = faces.smooth_track(faces.fill_gaps(track, seconds), sigma)
        first, last = whole.frames[0], whole.frames[-1]
        assert whole.frames.tolist() == list(range(first, last + 1))
        assert np.isfinite(whole.boxes).all()
        assert (np.isfinite(whole.scores).sum()) == len(track)


@pytest.mark.parametrize('crop', faces.CROPS)
@draws(150)
@given(box=BOXES, points=POINTS)
@example(box=np.array([3.0, 3, 3, 3]), points=np.zeros((5, 2)))
@example(box=np.array([-40.0, -40, -20, -20]), points=np.full((5, 2), 1e-9))
@example(box=np.array([0.0, 0, 60, 60]), points=1e4 * np.eye(5, 2))
def test_a_crop_has_its_size(crop, box, points):
    frame = np.full((30, 20, 3), 7, np.uint8)
    cut = faces.crop_face(frame, box, points, crop, size=16)
    assert cut.shape == (16, 16, 3) and cut.dtype == np.uint8
