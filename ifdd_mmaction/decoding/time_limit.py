"""A time limit for decoding one frame."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from typing import Any, TypeVar

from .container import StuckError, VideoError

T = TypeVar('T')
#: The environment variable of the limit, and its default: seconds per frame.
SETTING, DEFAULT_SECONDS = 'IFDD_FRAME_SECONDS', 60.0
#: Files whose decoding did not end. Each has a thread that cannot be stopped.
_stuck: set[str] = set()


def mark_stuck(path: str) -> bool:
    """Refuse to read a file from now on, in this process and in those that it forks.

    Returns:
        Whether the file was not marked before.

    Example:
        >>> from ifdd_mmaction.decoding import VideoReader, mark_stuck
        >>> mark_stuck('without_end.mp4')
        True
        >>> VideoReader('without_end.mp4').read([0])
        Traceback (most recent call last):
        ...
        ifdd_mmaction...StuckError: without_end.mp4: earlier in this run no frame was...
    """
    new = path not in _stuck
    _stuck.add(path)
    return new


def seconds_a_frame() -> float:
    """Return the time limit of a frame.

    Raises:
        VideoError: If it is not a number above 0.
    """
    text = os.environ.get(SETTING, str(DEFAULT_SECONDS))
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0.0
    if not 0 < seconds < threading.TIMEOUT_MAX:
        raise VideoError(f'{SETTING}={text}: want a number of seconds above 0')
    return seconds


class Watch:
    """Runs work on a file with a time limit between its steps.

    The work runs in a thread, because a decoder that hangs cannot be interrupted. Such
    a thread ends with its process.

    Args:
        path: The file.
    """

    def __init__(self, path: str) -> None:
        self.path = path
        self._last = 0.0

    def step(self) -> None:
        """Record that the work made progress."""
        self._last = time.monotonic()

    def run(self, work: Callable[[], T]) -> T:
        """Run work that calls :meth:`step` repeatedly, and return its result.

        Raises:
            StuckError: If no step is recorded for :func:`seconds_a_frame`, in this run
                or in an earlier one of this process.
        """
        limit = seconds_a_frame()
        if self.path in _stuck:
            raise self._error('earlier in this run ')
        outcome: dict[str, Any] = {}

        def run() -> None:
            try:
                outcome['result'] = work()
            except BaseException as error:
                outcome['error'] = error

        self.step()
        thread = threading.Thread(target=run, name='reading a video', daemon=True)
        thread.start()
        while thread.is_alive():
            thread.join(max(0.0, self._last + limit - time.monotonic()))
            last = self._last
            if thread.is_alive() and time.monotonic() - last >= limit:
                # Wait once more: the process may have been suspended meanwhile.
                thread.join(min(1.0, limit))
                if thread.is_alive() and self._last == last:
                    mark_stuck(self.path)
                    raise self._error()
        if 'error' in outcome:
            raise outcome['error']
        return outcome['result']

    def _error(self, when: str = '') -> StuckError:
        return StuckError(
            self.path,
            f'{self.path}: {when}no frame was decoded within {seconds_a_frame():g} s: '
            'its decoder, or the disk that it is on, hangs. Re-encode it, or set '
            f'{SETTING} higher',
        )
