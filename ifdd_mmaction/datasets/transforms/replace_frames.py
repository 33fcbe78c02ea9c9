"""Spoil some frames of a clip, as an augmentation."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from mmaction.registry import TRANSFORMS
from mmcv.transforms import BaseTransform

from ..frame_corruptions import CORRUPTIONS


@TRANSFORMS.register_module()
class ReplaceFrames(BaseTransform):
    """Replace some frames of a clip by noise, blur, black and the like.

    It trains a model to be robust to what ``tools/analysis/temporal_reliance.py``
    measures, with the same functions. With probability ``prob``, one kind, a number
    from 1 to ``max_frames`` and as many frames are drawn. Put it after the crops and
    before ``FormatShape``.

    Required keys: ``imgs`` (images (H, W, 3) uint8). Changed keys: ``imgs`` (new; the
    given images are left as they are).

    Args:
        max_frames: Most frames that are replaced; fewer than the clip has.
        kinds: Names of :data:`~ifdd_mmaction.datasets.frame_corruptions.CORRUPTIONS`.
        prob: Probability that frames of a clip are replaced.

    Raises:
        ValueError: If an argument is none of these.

    Example:
        >>> from ifdd_mmaction.datasets.transforms import ReplaceFrames
        >>> clip = dict(imgs=np.full((8, 32, 32, 3), 200, np.uint8))
        >>> replace = ReplaceFrames(max_frames=1, kinds=['black'], prob=1.0)
        >>> sorted(replace(clip)['imgs'].max(axis=(1, 2, 3)).tolist())
        [0, 200, 200, 200, 200, 200, 200, 200]
    """

    def __init__(
        self,
        max_frames: int = 4,
        kinds: Sequence[str] = tuple(CORRUPTIONS),
        prob: float = 0.5,
    ) -> None:
        if max_frames < 1:
            raise ValueError(f'ReplaceFrames: max_frames={max_frames}: at least 1')
        unknown = [kind for kind in kinds if kind not in CORRUPTIONS]
        if unknown or not kinds or isinstance(kinds, str):
            raise ValueError(
                f'ReplaceFrames: kinds={kinds!r}: give a list of '
                f'{", ".join(CORRUPTIONS)}'
            )
        if not 0 <= prob <= 1:
            raise ValueError(f'ReplaceFrames: prob={prob}: must be from 0 to 1')
        self.max_frames = max_frames
        self.kinds = tuple(kinds)
        self.prob = prob

    def transform(self, results: dict) -> dict:
        """Draw frames and replace them.

        Raises:
            ValueError: If the clip has no more frames than ``max_frames``.
        """
        frames = results['imgs']
        if len(frames) <= self.max_frames:
            raise ValueError(
                f'ReplaceFrames: max_frames={self.max_frames}, but the clip has '
                f'{len(frames)} frames: set a smaller number'
            )
        # The seed is from NumPy's generator, which each clip of a training sets anew.
        rng = np.random.default_rng(np.random.randint(2**31, size=4))
        if rng.random() >= self.prob:
            return results
        corrupt = CORRUPTIONS[self.kinds[rng.integers(len(self.kinds))]]
        count = rng.integers(1, self.max_frames + 1)
        chosen = rng.permutation(len(frames))[:count]
        replaced = frames.copy()  # of a list: the images in it are not copied
        for i in chosen:
            replaced[i] = corrupt(frames[i], rng)
        results['imgs'] = replaced
        return results
