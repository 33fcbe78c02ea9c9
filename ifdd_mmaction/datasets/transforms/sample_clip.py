"""Choose which frames of a video make a clip."""

from __future__ import annotations

import numpy as np
from mmaction.registry import TRANSFORMS
from mmcv.transforms import BaseTransform


@TRANSFORMS.register_module()
class SampleClip(BaseTransform):
    """Sample windows of ``clip_len`` frames, every ``frame_interval``-th frame.

    Training takes one window at a random place; testing takes ``num_clips`` windows
    spread evenly from the first possible one to the last, and the middle one where
    ``num_clips`` is 1: always the same frames. A video shorter than the window is
    padded by repeating its last frame, as the authors do on DFEW; no clip is dropped.

    Required keys: ``total_frames``. Added keys: ``frame_inds`` (num_clips * clip_len),
    ``clip_len``, ``frame_interval``, ``num_clips``.

    Args:
        clip_len: Frames of a clip.
        frame_interval: Distance of two frames of a clip.
        num_clips: Windows a video in testing.
        test_mode: Whether to sample deterministically.
    """

    def __init__(
        self,
        clip_len: int,
        frame_interval: int = 1,
        num_clips: int = 1,
        test_mode: bool = False,
    ) -> None:
        if min(clip_len, frame_interval, num_clips) < 1:
            raise ValueError(
                f'SampleClip: clip_len={clip_len}, frame_interval={frame_interval} and '
                f'num_clips={num_clips} must be at least 1'
            )
        self.clip_len = clip_len
        self.frame_interval = frame_interval
        self.num_clips = num_clips if test_mode else 1
        self.test_mode = test_mode

    def transform(self, results: dict) -> dict:
        """Add ``frame_inds`` to the results."""
        total = results['total_frames']
        window = (self.clip_len - 1) * self.frame_interval + 1
        room = max(total - window, 0)
        if not self.test_mode:
            starts = np.random.randint(room + 1, size=1)
        elif self.num_clips == 1:
            starts = np.array([room // 2])
        else:
            starts = np.linspace(0, room, self.num_clips).round().astype(int)
        offsets = np.arange(self.clip_len) * self.frame_interval
        indexes = (starts[:, None] + offsets).clip(max=total - 1)
        results['frame_inds'] = indexes.reshape(-1)
        results['clip_len'] = self.clip_len
        results['frame_interval'] = self.frame_interval
        results['num_clips'] = self.num_clips
        return results
