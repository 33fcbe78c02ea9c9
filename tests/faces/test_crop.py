import cv2
import numpy as np
import pytest

from ifdd_mmaction.faces import align_face, crop_face, crop_square
from ifdd_mmaction.faces.crop import ARCFACE_112, similarity

NO_POINTS = np.full((5, 2), np.nan)


def ramp(height=100, width=160):
    """A frame whose pixels encode their position: red is x, green is y."""
    y, x = np.mgrid[:height, :width]
    return np.stack([x, y, np.full_like(x, 255)], axis=2).astype(np.uint8)


def test_the_square_is_centered_on_the_box():
    cut = crop_square(ramp(), np.array([60.0, 30, 80, 70]), size=48, margin=0.1)
    assert cut.shape == (48, 48, 3)
    # 40 high, 10 % on either side: 48 pixels, not resized
    assert cut[0, 0].tolist() == [46, 26, 255]
    assert cut[-1, -1].tolist() == [93, 73, 255]


def test_outside_of_the_frame_is_black():
    cut = crop_square(ramp(), np.array([-20.0, 60, 20, 100]), size=40, margin=0)
    assert (cut[:, :20] == 0).all()
    assert cut[0, 20].tolist() == [0, 60, 255]
    assert (crop_square(ramp(), np.array([500.0, 500, 520, 520])) == 0).all()


@pytest.mark.parametrize('scale', [0.7, 1.5, 4.0])
def test_alignment_maps_landmarks_to_fixed_positions(scale):
    # The frame has white dots at the rotated, shifted and scaled template.
    turn = cv2.getRotationMatrix2D((56, 56), 25, scale)
    turn[:, 2] += 56 * scale + 40
    points = ARCFACE_112 @ turn[:, :2].T + turn[:, 2]
    frame = np.zeros((600, 600, 3), np.uint8)
    for x, y in points:
        cv2.circle(
            frame, (round(x), round(y)), max(2, round(3 * scale)), (255,) * 3, -1
        )
    cut = align_face(frame, points, size=112, zoom=1.0)
    for x, y in ARCFACE_112.round().astype(int):
        assert cut[y, x, 0] > 128
    assert (cut > 128).mean() < 0.05


def test_zoom_shows_more_around_the_face():
    points = ARCFACE_112 + 60
    near, far = (align_face(ramp(255, 255), points, 112, z) for z in (1.0, 0.8))
    np.testing.assert_allclose(near[56, 56], [116, 116, 255], atol=1)
    np.testing.assert_allclose(far[56, 56], [116, 116, 255], atol=1)
    assert far[56, 0, 0] < near[56, 0, 0] - 8


def test_the_similarity_is_the_least_squares_one_without_shear():
    rng = np.random.default_rng(0)
    target = ARCFACE_112 * (1.4, 0.8) + rng.normal(0, 2, (5, 2))
    matrix = similarity(ARCFACE_112, target)
    (a, b), (c, d) = matrix[:, :2]
    assert (a, b) == (d, -c)

    def error(m):
        return ((ARCFACE_112 @ m[:, :2].T + m[:, 2] - target) ** 2).sum()

    for step in rng.normal(0, 0.01, (20, 4)):
        other = matrix + np.array(
            [[step[0], -step[1], step[2]], [step[1], *step[[0, 3]]]]
        )
        assert error(other) > error(matrix)


def test_without_landmarks_alignment_falls_back_to_the_square():
    frame, box = ramp(), np.array([60.0, 30, 80, 70])
    square = crop_face(frame, box, NO_POINTS, 'square', 64)
    np.testing.assert_array_equal(crop_face(frame, box, NO_POINTS, 'align', 64), square)
    points = ARCFACE_112 / 2 + 20
    aligned = crop_face(frame, box, points, 'align', 64)
    np.testing.assert_array_equal(aligned, align_face(frame, points, 64))
    with pytest.raises(ValueError, match='crop='):
        crop_face(frame, box, points, 'round')
