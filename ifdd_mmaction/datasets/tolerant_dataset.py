"""Replace clips that cannot be read, and limit the memory of workers."""

from __future__ import annotations

import ctypes
import functools
import logging
from collections.abc import Callable, Sequence
from typing import Any

from mmaction.datasets import BaseActionDataset
from mmaction.structures import ActionDataSample
from mmengine.logging import print_log
from torch.utils.data import get_worker_info

from .errors import DatasetError, StuckVideoError, name_some


@functools.cache
def return_free_memory() -> bool:
    """Return the free parts of this process's heap to the system, once.

    A worker is forked from the training process, with tens of megabytes of free heap.
    These pages are shared until one of the processes writes to them, and then copied
    and never returned.

    Returns:
        Whether the C library supports it (glibc).
    """
    libc = ctypes.CDLL(None)
    return hasattr(libc, 'malloc_trim') and bool(libc.malloc_trim(0))


#: After this many unreadable clips in a row the run ends.
MAX_TRIES = 10


class TolerantDataset(BaseActionDataset):
    """A dataset that can replace clips that the pipeline cannot read.

    Args:
        bad_clips: ``'error'`` ends the run. ``'replace'``, for training only, loads
            another clip, drawn at random. ``'count_wrong'``, for testing only, lets
            :class:`DFERMetric` count the clip as wrong. By default ``'replace'`` in
            training and ``'error'`` in testing.

    The data sample of a replacement lists in ``bad_clips`` the clips that it replaces,
    as pairs of name and error, which :class:`BadClipsHook` counts, and in
    ``stuck_videos`` the files whose reading timed out.

    Raises:
        DatasetError: If ``bad_clips`` does not fit, and when loading, a bad clip if it
            is ``'error'``, or ten bad clips in a row.
    """

    def __init__(
        self,
        *,
        pipeline: Sequence[dict | Callable],
        test_mode: bool,
        bad_clips: str | None = None,
        **kwargs: Any,
    ) -> None:
        choices = ('error', 'count_wrong' if test_mode else 'replace')
        self.bad_clips = bad_clips or choices[0 if test_mode else 1]
        if self.bad_clips not in choices:
            mode = 'testing' if test_mode else 'training'
            raise DatasetError(
                f'bad_clips={bad_clips!r}: in {mode}, set one of {", ".join(choices)}'
            )
        super().__init__(pipeline=list(pipeline), test_mode=test_mode, **kwargs)

    def prepare_data(self, idx: int) -> Any:
        """Load a clip, or its replacement."""
        if get_worker_info() is not None:
            return_free_memory()
        try:
            return self._load(self.get_data_info(idx))
        except DatasetError as error:
            if self.bad_clips == 'error':
                raise
            return self._replacement(idx, error)

    def _load(self, info: dict) -> Any:
        # A video's number of frames is not known before it is opened.
        if 'total_frames' not in info:
            info['total_frames'] = len(info['source'])
        return self.pipeline(info)

    def _replacement(self, idx: int, error: DatasetError) -> Any:
        wanted = info = self.get_data_info(idx)
        bad = [(info['video_id'], str(error))]
        errors = [error]
        fate = 'counted as wrong' if self.test_mode else 'replaced by another clip'
        while len(bad) < MAX_TRIES:
            print_log(
                f'clip {bad[-1][0]} cannot be read, {fate}: {bad[-1][1]}',
                logger='current',
                level=logging.WARNING,
            )
            # In testing always the same one: only its shape matters.
            following = (idx + len(bad)) % len(self)
            other = following if self.test_mode else self._rand_another()
            info = self.get_data_info(other)
            try:
                data = self._load(info)
            except DatasetError as another:
                bad.append((info['video_id'], str(another)))
                errors.append(another)
                continue
            sample = data['data_samples']
            if self.test_mode:
                data['data_samples'] = sample = ActionDataSample()
                sample.set_gt_label(wanted['label'])
                sample.set_metainfo(dict(video_id=wanted['video_id']))
                bad = bad[:1]  # the others are loaded and reported themselves
            stuck = [e.path for e in errors if isinstance(e, StuckVideoError)]
            sample.set_metainfo(dict(bad_clips=bad, stuck_videos=stuck))
            return data
        raise DatasetError(
            f'{len(bad)} clips in a row cannot be read:\n'
            + name_some([message for _, message in bad])
        ) from error
