"""Notice frames that are not cut to the face."""

from __future__ import annotations

import logging
from collections.abc import Sequence

from mmengine.logging import print_log

from .errors import DatasetError
from .storage import ClipSource

#: Long side over short side: face crops of the datasets are nearly square.
MAX_ASPECT = 1.25
#: Clips already warned of: training and testing build their datasets more than once.
_warned: set[str] = set()


def warn_of_wide_frames(dataset: str, sources: Sequence[ClipSource]) -> None:
    """Warn once if the frames of a dataset are no face crops.

    One frame each of the first, the middle and the last clip is looked at. On whole
    frames of MAFW a model collapses to one class (MAE-DFER issue 22).
    """
    for i in sorted({0, len(sources) // 2, len(sources) - 1}):
        try:
            height, width = sources[i].read([0])[0].shape[:2]
        except DatasetError:  # is met, and reported, when it is loaded
            continue
        if max(height, width) <= MAX_ASPECT * min(height, width):
            continue
        if sources[i].name not in _warned:
            _warned.add(sources[i].name)
            print_log(
                f'{dataset}: frames of {width} x {height} pixels, {sources[i].name}: '
                'no face crops? Models learn little from whole frames; cut them to '
                'nearly square faces first.',
                logger='current',
                level=logging.WARNING,
            )
        return
