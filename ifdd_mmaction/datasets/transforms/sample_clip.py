"""Choose the frames of a video that form a clip."""

from __future__ import annotations

import numpy as np
from mmaction.registry import TRANSFORMS
from mmcv.transforms import BaseTransform

from .find_source import count_frames

SHORT_CLIP_RULES = ('pad_last', 'spread_first', 'spread_last')
WINDOWS = ('uniform', 'consecutive')


@TRANSFORMS.register_module()
class SampleClip(BaseTransform):
    """Sample windows of ``clip_len`` frames, every ``frame_interval``-th frame.

    Training samples one window at a random position. Testing samples fixed windows:

    - ``windows='uniform'``: ``num_clips`` windows spread evenly from the first
      possible one to the last, the middle one where ``num_clips`` is 1;
    - ``windows='consecutive'``: as many windows as fit one after the other from the
      first frame, the rest skipped: the authors' ``test_multi``. Their number depends
      on the length of the video: use ``batch_size=1`` if lengths differ.

    A video shorter than the window is stretched to it as the authors do; no clip is
    dropped. There are two differences to the authors' code. It tests FERV39k and MAFW
    on one *random* window without a seed, so that scores change from run to run; here
    it is the middle window. In training on DFEW it never pads short clips, so that the
    clip ends in uninitialized memory; here they are padded as in testing.

    Required keys: ``total_frames``, or a clip that :func:`find_source` finds;
    ``start_index``, the number of the first frame, is 0 without it, as in MMAction2's
    ``SampleFrames``. Added keys: ``frame_inds`` (num_clips * clip_len), ``clip_len``,
    ``frame_interval``, ``num_clips``; without ``total_frames`` also ``source`` and it.

    Args:
        clip_len: Frames of a clip.
        frame_interval: Distance of two frames of a clip.
        num_clips: Uniform windows a video in testing.
        windows: Placement of windows in testing.
        short_clip: How L frames become a window of w > L: ``'pad_last'`` repeats the
            last frame (DFEW); the others repeat each frame w // L times, and the first
            (``'spread_first'``, FERV39k) or the last (``'spread_last'``, MAFW) w mod L
            frames once more.
        test_mode: Whether to sample deterministically.

    Raises:
        ValueError: If an argument is none of these.

    Example:
        >>> from ifdd_mmaction.datasets.transforms import SampleClip
        >>> sample = SampleClip(clip_len=4, frame_interval=2, test_mode=True)
        >>> sample(dict(total_frames=20))['frame_inds']  # the window in the middle
        array([ 6,  8, 10, 12])
        >>> sample(dict(total_frames=5))['frame_inds']  # the last frame is repeated
        array([0, 2, 4, 4])
    """

    def __init__(
        self,
        clip_len: int,
        frame_interval: int = 1,
        num_clips: int = 1,
        windows: str = 'uniform',
        short_clip: str = 'pad_last',
        test_mode: bool = False,
    ) -> None:
        if min(clip_len, frame_interval, num_clips) < 1:
            raise ValueError(
                f'SampleClip: clip_len={clip_len}, frame_interval={frame_interval} and '
                f'num_clips={num_clips} must be at least 1'
            )
        if windows not in WINDOWS:
            raise ValueError(
                f'SampleClip: windows={windows!r}: must be one of {", ".join(WINDOWS)}'
            )
        if short_clip not in SHORT_CLIP_RULES:
            raise ValueError(
                f'SampleClip: short_clip={short_clip!r}: must be one of '
                f'{", ".join(SHORT_CLIP_RULES)}'
            )
        if windows == 'consecutive' and num_clips > 1:
            raise ValueError(
                f'SampleClip: num_clips={num_clips} applies to uniform windows only; '
                "with 'consecutive', all windows that fit are used"
            )
        self.clip_len = clip_len
        self.frame_interval = frame_interval
        self.num_clips = num_clips
        self.windows = windows
        self.short_clip = short_clip
        self.test_mode = test_mode

    def transform(self, results: dict) -> dict:
        """Add ``frame_inds`` to the results."""
        total = count_frames(results)
        window = (self.clip_len - 1) * self.frame_interval + 1
        frames = stretch(total, window, self.short_clip)
        room = len(frames) - window
        if not self.test_mode:
            starts = np.random.randint(room + 1, size=1)
        elif self.windows == 'consecutive':
            starts = np.arange(0, room + 1, window)
        elif self.num_clips == 1:
            starts = np.array([room // 2])
        else:
            starts = np.linspace(0, room, self.num_clips).round().astype(int)
        offsets = np.arange(self.clip_len) * self.frame_interval
        first = results.get('start_index', 0)
        results['frame_inds'] = first + frames[starts[:, None] + offsets].reshape(-1)
        results['clip_len'] = self.clip_len
        results['frame_interval'] = self.frame_interval
        results['num_clips'] = len(starts)
        return results


def stretch(total: int, window: int, rule: str) -> np.ndarray:
    """Return the frames 0..total-1 in order, some repeated if the window is longer.

    Args:
        total: Frames of the video.
        window: Frames needed.
        rule: ``short_clip`` of :class:`SampleClip`.

    Returns:
        Frame indexes ``(T,)``, T the longer of total and window.

    Raises:
        ValueError: If there is no frame.
    """
    if total < 1:
        raise ValueError(f'total_frames={total}: a clip has at least one frame')
    frames = np.arange(max(total, window))
    if total >= window:
        return frames
    if rule == 'pad_last':
        return frames.clip(max=total - 1)
    repeats = np.full(total, window // total)
    once_more = window % total
    if rule == 'spread_first':
        repeats[:once_more] += 1
    else:
        repeats[total - once_more :] += 1
    return np.repeat(np.arange(total), repeats)
