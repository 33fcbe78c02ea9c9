"""The part of a config's test pipeline that comes after decoding."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from mmengine.config import Config
from mmengine.dataset import Compose
from mmengine.registry import init_default_scope
from torch import Tensor

from ..errors import InputError


class ClipPipeline:
    """Turns the frames of a clip into what the model gets in testing.

    A test pipeline samples frames, decodes them, and works on the images. Frames of a
    video at hand are sampled and decoded already: the transforms after the last one
    that decodes are taken from the config, as they are.

    Args:
        cfg: Config with ``test_dataloader.dataset.pipeline``.

    Attributes:
        clip_len: Frames of a clip, T.

    Raises:
        InputError: If the config has no such pipeline, or none that says how long a
            clip is.
    """

    def __init__(self, cfg: Config) -> None:
        init_default_scope(cfg.get('default_scope', 'mmaction'))
        dataset = cfg.get('test_dataloader', {}).get('dataset', {})
        transforms = list(dataset.get('pipeline') or ())
        lengths = [t['clip_len'] for t in transforms if 'clip_len' in t]
        decoders = [i for i, t in enumerate(transforms) if _decodes(str(t['type']))]
        if not lengths or not decoders:
            raise InputError(
                f'test_dataloader.dataset.pipeline={[t["type"] for t in transforms]} '
                'has no transform with clip_len, or none that decodes frames '
                '(LoadFrames, ...Decode)'
            )
        self.clip_len = int(lengths[0])
        self._transforms = Compose(transforms[decoders[-1] + 1 :])

    def __call__(self, frames: Sequence[np.ndarray]) -> Tensor:
        """Return the clip of T frames ``(H, W, 3)`` uint8 RGB; see Predictor."""
        results = dict(
            imgs=list(frames),
            original_shape=frames[0].shape[:2],
            img_shape=frames[0].shape[:2],
            clip_len=self.clip_len,
            num_clips=1,
            frame_interval=1,
            modality='RGB',
        )
        return self._transforms(results)['inputs']


def _decodes(transform: str) -> bool:
    return transform.endswith('Decode') or transform.rsplit('.')[-1] == 'LoadFrames'
