"""MMAction2's transforms under the installed NumPy."""

import cv2
import numpy as np
import pytest
from mmaction.datasets.transforms import ColorJitter

import ifdd_mmaction  # noqa: F401


@pytest.mark.parametrize('factor', [-0.5, -0.1, -0.03, 0.0, 0.03, 0.1])
def test_hue_is_shifted_in_both_directions(factor: float) -> None:
    image = np.random.RandomState(0).randint(0, 256, (16, 16, 3)).astype(np.float32)
    shifted = ColorJitter.adjust_hue(image, factor)
    hsv = cv2.cvtColor(image.astype(np.uint8), cv2.COLOR_RGB2HSV).astype(int)
    total = hsv[..., 0] + int(factor * 255)
    # MMAction2 adds within bytes where the shift is positive.
    hsv[..., 0] = np.where(total > 255, total - 256, total) % 180
    expected = cv2.cvtColor(hsv.astype(np.uint8), cv2.COLOR_HSV2RGB)
    assert shifted.dtype == np.float32
    assert (shifted == expected).all()


def test_a_clip_is_jittered_downward() -> None:
    clip = [np.full((8, 8, 3), (200, 60, 30), np.uint8)] * 2
    jitter = ColorJitter(brightness=0, contrast=0, saturation=0, hue=(-0.5, -0.4))
    jittered = jitter.transform(dict(imgs=clip))['imgs']
    assert len(jittered) == 2 and jittered[0].dtype == np.uint8
    assert (jittered[0] != clip[0]).any()
