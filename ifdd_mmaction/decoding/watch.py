"""An end to reading that does not come to one."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from typing import Any, TypeVar

from .container import StuckError, VideoError

T = TypeVar('T')
#: The environment variable that sets the limit, and the limit without it: seconds in
#: which one more frame has to come.
SETTING, DEFAULT_SECONDS = 'IFDD_FRAME_SECONDS', 60.0
#: Files whose reading did not end. Each costs a thread that nothing can stop.
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
    """Return the limit that is set.

    Raises:
        VideoError: If it is no number above 0.
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
    """Has work on a file done as long as it goes on.

    It is done in a thread: what hangs in a decoder cannot be interrupted, only left
    behind. Such a thread ends with its process.

    Args:
        path: The file.
    """

    def __init__(self, path: str) -> None:
        self.path = path
        self._last = 0.0

    def step(self) -> None:
        """Say that the work goes on."""
        self._last = time.monotonic()

    def run(self, work: Callable[[], T]) -> T:
        """Do the work; it calls :meth:`step` again and again.

        Returns:
            What the work returns; what it raises is raised.

        Raises:
            StuckError: If there is no step for :func:`seconds_a_frame`, or was none in
                an earlier run of this process.
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
                # Once more: the process may have been stopped, and time went on.
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
