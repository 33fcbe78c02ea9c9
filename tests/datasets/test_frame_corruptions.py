import numpy as np
import pytest

from ifdd_mmaction.datasets.frame_corruptions import CORRUPTIONS


def textured(height=48, width=64):
    """Squares of many colors with fine noise, nowhere black."""
    rng = np.random.default_rng(0)
    squares = rng.integers(40, 216, (height // 8, width // 8, 3))
    frame = squares.repeat(8, axis=0).repeat(8, axis=1) + rng.integers(0, 40, 3)
    return (frame + rng.integers(0, 9, frame.shape)).clip(0, 255).astype(np.uint8)


def corrupt(kind, frame, seed=0):
    return CORRUPTIONS[kind](frame, np.random.default_rng(seed))


@pytest.mark.parametrize('kind', CORRUPTIONS)
@pytest.mark.parametrize('size', [(48, 64), (1, 1)])
def test_a_frame_becomes_another_of_its_size(kind, size):
    frame = textured()[: size[0], : size[1]]
    before = frame.copy()
    found = corrupt(kind, frame)
    assert found.dtype == np.uint8 and found.shape == frame.shape
    assert (frame == before).all() and not np.shares_memory(found, frame)
    assert (found == corrupt(kind, frame)).all()  # of the same generator
    if size != (1, 1):
        assert np.abs(found - frame.astype(float)).mean() > 5


@pytest.mark.parametrize('kind', ['noise', 'wrong_crop', 'occlusion'])
def test_random_kinds_differ_from_frame_to_frame(kind):
    frame = textured()
    assert (corrupt(kind, frame, 1) != corrupt(kind, frame, 2)).any()


def test_noise_has_nothing_of_the_frame():
    found = np.stack([corrupt('noise', textured(), i) for i in range(20)])
    assert found.mean() == pytest.approx(127.5, abs=1) and found.min() < 3
    assert found.max() > 252


def test_black_is_zero():
    assert not corrupt('black', textured()).any()


def test_blur_keeps_the_colors_and_loses_the_edges():
    frame, found = textured(), corrupt('blur', textured())
    np.testing.assert_allclose(found.mean((0, 1)), frame.mean((0, 1)), atol=6)
    edges = [np.abs(np.diff(f.astype(float), axis=1)).mean() for f in (frame, found)]
    assert edges[1] < 0.4 * edges[0]


def test_a_wrong_crop_shows_a_part_of_the_frame():
    ramp = np.arange(64, dtype=np.uint8).repeat(64).reshape(64, 64)
    frame = np.dstack([ramp, ramp.T, ramp])  # row and column of each pixel
    spans = []
    for seed in range(40):
        found = corrupt('wrong_crop', frame, seed).astype(int)
        spans.append([np.ptp(found[..., channel]) + 1 for channel in (0, 1)])
        assert (found[..., 0] == found[..., 2]).all()
    spans = np.array(spans)
    assert spans.min() >= 15 and spans.max() <= 33 and np.ptp(spans) > 10


def test_a_patch_covers_a_rectangle_by_one_color():
    shares = []
    for seed in range(40):
        frame = textured()
        changed = (corrupt('occlusion', frame, seed) != frame).any(axis=2)
        rows, columns = changed.any(axis=1).nonzero()[0], changed.any(axis=0).nonzero()
        box = np.s_[rows[0] : rows[-1] + 1, columns[0][0] : columns[0][-1] + 1]
        covered = corrupt('occlusion', frame, seed)[box].reshape(-1, 3)
        assert (covered == covered[0]).all()
        shares.append(len(covered) / changed.size)
    assert 0.2 < min(shares) < 0.35 and 0.45 < max(shares) < 0.6


def test_compression_leaves_blocks_of_the_frame():
    frame = textured()
    found = corrupt('compression', frame)
    np.testing.assert_allclose(found.mean((0, 1)), frame.mean((0, 1)), atol=12)
    error = np.abs(found - frame.astype(float)).mean()
    assert error < np.abs(frame.mean((0, 1)) - frame).mean()  # closer than its mean
