"""Choose one frame of a video, as a clip without motion."""

from __future__ import annotations

import numpy as np
from mmaction.registry import TRANSFORMS
from mmcv.transforms import BaseTransform

from ..errors import DatasetError
from .find_source import count_frames

FRAMES = ('any', 'middle', 'intense')


@TRANSFORMS.register_module()
class SampleFrame(BaseTransform):
    """Sample one frame and repeat it, so that a video model learns from single frames.

    It takes the place of :class:`SampleClip` in the first of two trainings, in which
    the backbone learns expressions, before the second learns how they change (static
    first, as S4D does, arXiv 2409.06154). A backbone that embeds every two frames needs
    two copies for one temporal position, an eighth of the time of a clip of 16.

    Required keys: those of :class:`SampleClip`, ``label``, and for
    ``frames='intense'`` ``intensity`` (a dataset with ``intensity=FILE`` gives it).
    Added keys: ``frame_inds`` (copies), ``clip_len``, ``frame_interval``,
    ``num_clips``; ``label`` becomes ``neutral`` where a frame of low intensity is
    sampled.

    Args:
        copies: Frames of the clip, all the same.
        frames: Frames to sample from in training: ``'any'``, ``'middle'`` (the apex,
            where clips are cut around it), or ``'intense'``, those of at least ``high``
            of the clip's largest intensity. Testing takes the middle frame, or the one
            of the largest intensity.
        high: Smallest intensity of an intense frame, as a share of the clip's largest.
        low: Largest intensity of a neutral frame, as the same share.
        neutral: Number of the neutral class; None samples no neutral frames.
        neutral_share: Probability in training that a clip with frames of at most
            ``low`` gives one of them, with the label ``neutral``.
        test_mode: Whether to sample deterministically.

    Raises:
        ValueError: If an argument is none of these.

    Example:
        >>> from ifdd_mmaction.datasets.transforms import SampleFrame
        >>> sample = SampleFrame(frames='intense', test_mode=True)
        >>> clip = dict(total_frames=4, label=5, intensity=np.array([0, 0.4, 0.9, 0.1]))
        >>> sample(clip)['frame_inds']
        array([2, 2])
    """

    def __init__(
        self,
        copies: int = 2,
        frames: str = 'any',
        high: float = 0.6,
        low: float = 0.1,
        neutral: int | None = None,
        neutral_share: float = 1 / 7,
        test_mode: bool = False,
    ) -> None:
        if copies < 1:
            raise ValueError(f'SampleFrame: copies={copies} must be at least 1')
        if frames not in FRAMES:
            raise ValueError(
                f'SampleFrame: frames={frames!r}: must be one of {", ".join(FRAMES)}'
            )
        if not 0 <= low < high <= 1:
            raise ValueError(
                f'SampleFrame: low={low}, high={high}: must be 0 <= low < high <= 1'
            )
        if not 0 <= neutral_share <= 1:
            raise ValueError(
                f'SampleFrame: neutral_share={neutral_share} must be from 0 to 1'
            )
        self.copies = copies
        self.frames = frames
        self.high = high
        self.low = low
        self.neutral = neutral
        self.neutral_share = neutral_share
        self.test_mode = test_mode

    def transform(self, results: dict) -> dict:
        """Add ``frame_inds`` to the results.

        Raises:
            DatasetError: If ``frames='intense'`` and the clip has no intensity, or not
                one number for each frame.
        """
        total = count_frames(results)
        if self.frames == 'intense':
            frame = self._intense(results, self._shares(results, total))
        elif self.frames == 'middle' or self.test_mode:
            frame = total // 2
        else:
            frame = np.random.randint(total)
        first = results.get('start_index', 0)
        results['frame_inds'] = np.full(self.copies, first + frame)
        results['clip_len'] = self.copies
        results['frame_interval'] = 1
        results['num_clips'] = 1
        return results

    def _intense(self, results: dict, shares: np.ndarray) -> int:
        """Return a frame of high intensity, or of low with the neutral label."""
        if self.test_mode:
            # The one in the middle, where several share the largest intensity.
            (largest,) = np.nonzero(shares == shares.max())
            return int(largest[len(largest) // 2])
        (chosen,) = np.nonzero(shares >= self.high)
        (low,) = np.nonzero(shares <= self.low)
        if (
            self.neutral is not None
            and len(low)
            and np.random.random() < self.neutral_share
        ):
            results['label'] = self.neutral
            chosen = low
        return int(np.random.choice(chosen))

    def _shares(self, results: dict, total: int) -> np.ndarray:
        """Return intensities as shares of the clip's largest, 1 in a clip without."""
        intensity = results.get('intensity')
        if intensity is None or len(intensity) != total:
            seen = 'none' if intensity is None else f'{len(intensity)} numbers'
            raise DatasetError(
                f'{results.get("video_id", "the clip")}: SampleFrame(frames='
                f"'intense') needs the intensity of each of {total} frames, got {seen}:"
                " set intensity=FILE of the dataset, or frames='middle'"
            )
        values = np.asarray(intensity, dtype=np.float64)
        largest = values.max()
        return values / largest if largest > 0 else np.ones_like(values)
