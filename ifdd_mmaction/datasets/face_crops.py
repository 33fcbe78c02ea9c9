"""Warn of frames that are not cropped to the face."""

from __future__ import annotations

import logging
from collections.abc import Sequence

from mmengine.logging import print_log

from .errors import DatasetError
from .storage import ClipSource

#: Long side over short side: face crops of the datasets are nearly square.
MAX_ASPECT = 1.25
#: Clips with a warning: training and testing build their datasets several times.
_warned: set[str] = set()


def warn_of_wide_frames(dataset: str, sources: Sequence[ClipSource]) -> None:
    """Warn once if the frames of a dataset are not face crops.

    One frame each of the first, the middle and the last clip is checked. A model that
    is trained on whole frames of MAFW predicts one class (MAE-DFER issue 22).
    """
    for i in sorted({0, len(sources) // 2, len(sources) - 1}):
        try:
            height, width = sources[i].read([0])[0].shape[:2]
        except DatasetError:  # reported when it is loaded
            continue
        if max(height, width) <= MAX_ASPECT * min(height, width):
            continue
        if sources[i].name not in _warned:
            _warned.add(sources[i].name)
            print_log(
                f'{dataset}: frames of {width} x {height} pixels, {sources[i].name}: '
                'not face crops? Models learn little from whole frames: crop them to '
                'nearly square faces first.',
                logger='current',
                level=logging.WARNING,
            )
        return
