"""Clips of any length and sampling of any setting."""

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from ifdd_mmaction.datasets.transforms import SampleClip
from ifdd_mmaction.datasets.transforms.sample_clip import SHORT_CLIP_RULES, WINDOWS
from tests.fuzz import draws

pytestmark = pytest.mark.slow

LENGTHS = st.integers(1, 20) | st.integers(1, 2000)


@draws(2500)
@given(
    total=LENGTHS,
    clip_len=st.integers(1, 40),
    frame_interval=st.integers(1, 9),
    num_clips=st.integers(1, 6),
    windows=st.sampled_from(WINDOWS),
    short_clip=st.sampled_from(SHORT_CLIP_RULES),
    test_mode=st.booleans(),
)
@example(1, 16, 1, 1, 'uniform', 'pad_last', True)
@example(1, 40, 9, 1, 'consecutive', 'spread_first', True)
@example(2, 3, 1, 1, 'uniform', 'spread_last', False)
def test_every_window_lies_in_the_clip(
    total, clip_len, frame_interval, num_clips, windows, short_clip, test_mode
):
    if windows == 'consecutive':
        num_clips = 1
    sample = SampleClip(
        clip_len, frame_interval, num_clips, windows, short_clip, test_mode
    )
    results = sample(dict(total_frames=total))
    frames = results['frame_inds'].reshape(results['num_clips'], clip_len)
    if not test_mode:
        assert len(frames) == 1
    elif windows == 'uniform':
        assert len(frames) == num_clips
    assert frames.min() >= 0 and frames.max() < total
    steps = np.diff(frames, axis=1)
    assert (steps >= 0).all() and (steps <= frame_interval).all()
    if total >= (clip_len - 1) * frame_interval + 1:
        assert (steps == frame_interval).all()
    assert (np.diff(frames[:, 0]) >= 0).all()


@pytest.mark.parametrize('rule', SHORT_CLIP_RULES)
def test_a_clip_without_frames_is_refused(rule):
    with pytest.raises(ValueError, match='total_frames=0'):
        SampleClip(4, short_clip=rule)(dict(total_frames=0))
