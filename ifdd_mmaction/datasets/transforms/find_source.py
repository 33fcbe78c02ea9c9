"""The clip that a pipeline is given, whoever gives it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import DatasetError
from ..storage import ClipSource, FolderClipSource, open_source

#: Keys of which the results of a pipeline have one.
DESCRIPTIONS = ('source', 'array', 'filename', 'frame_dir')


class ArrayFrames:
    """Decoded frames as a :class:`ClipSource`.

    Args:
        frames: ``(T, H, W, 3)`` uint8 RGB, one array or one a frame.

    Raises:
        DatasetError: If there is no frame, or one is of another kind.
    """

    name = 'array'

    def __init__(self, frames: np.ndarray | Sequence[np.ndarray]) -> None:
        kinds = sorted({f'{frame.dtype} {frame.shape}' for frame in frames})
        right = [f.dtype == np.uint8 and f.shape[2:] == (3,) for f in frames]
        if not right or not all(right):
            raise DatasetError(
                f'array: {len(frames)} frames of {", ".join(kinds) or "no kind"}: give '
                'at least one, all uint8 (H, W, 3), RGB'
            )
        self._frames = frames

    def __len__(self) -> int:
        return len(self._frames)

    def read(self, indexes: Sequence[int]) -> list[np.ndarray]:
        """Return copies of frames, ``(H, W, 3)``; see :class:`ClipSource`."""
        return [np.array(self._frames[i]) for i in indexes]


def is_described(results: dict[str, Any]) -> bool:
    """Return whether the results of a pipeline describe a clip; see `find_source`."""
    return any(key in results for key in DESCRIPTIONS)


def count_frames(results: dict[str, Any]) -> int:
    """Return ``total_frames`` of the results of a pipeline.

    Where it is not known, ``source`` is found and opened, and both are added.
    """
    total = results.get('total_frames')
    if total is None or (not total and is_described(results)):
        results['source'] = find_source(results)
        results['total_frames'] = len(results['source'])
    return int(results['total_frames'])


def find_source(results: dict[str, Any]) -> ClipSource:
    """Return the source of the clip that is described in the results of a pipeline.

    The datasets of this package give a ``source``. MMAction2's datasets, inferencers
    and demos give one of

    - ``filename``: a video, read as the datasets read it; also a folder of frames;
    - ``array``: frames ``(T, H, W, 3)`` uint8 RGB;
    - ``frame_dir``, with ``total_frames``, ``filename_tmpl``, ``start_index`` and
      ``offset``: a folder of frames whose names follow from their numbers.

    Args:
        results: What the first transform of a pipeline gets; it is left as it is.

    Raises:
        DatasetError: If it has none of them, or they cannot be read.
    """
    if 'source' in results:
        return results['source']
    if results.get('modality') == 'Flow':
        raise DatasetError(
            f'modality={results["modality"]!r}: give RGB frames, not optical flow'
        )
    if 'array' in results:
        return ArrayFrames(results['array'])
    if 'filename' in results:
        return open_source(Path(results['filename']))
    if 'frame_dir' in results:
        return _numbered_frames(**results)
    raise DatasetError(
        f'a pipeline was given {", ".join(map(str, results)) or "nothing"}: give a '
        'filename, an array or a frame_dir, or take a dataset of ifdd_mmaction'
    )


def _numbered_frames(
    frame_dir: str,
    total_frames: int,
    filename_tmpl: str = 'img_{:05}.jpg',
    start_index: int = 0,
    offset: int = 0,
    **_: Any,
) -> FolderClipSource:
    if total_frames < 1:
        raise DatasetError(
            f'{frame_dir}: no file is named like {filename_tmpl}: give the '
            'filename_tmpl of its frames'
        )
    first = start_index + offset
    numbers = range(first, first + total_frames)
    return FolderClipSource(frame_dir, [filename_tmpl.format(i) for i in numbers])
