"""The newest frame of a camera or stream, which is read in a thread."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from threading import Condition, Event, Thread

from ..errors import InputError
from .live_sources import LiveSource, LostError, live_source
from .sources import MAX_SIDE, Frame, one_size, shrink

#: Seconds without data after which a stream is lost.
TIMEOUT = 10.0
#: Seconds before the first attempt to reopen, and the most between two: each waits
#: twice as long as the one before.
FIRST_WAIT, LONGEST_WAIT = 0.5, 8.0
#: Seconds after which an iteration hands over None, so that its user can do other work.
IDLE = 0.1
#: Seconds that closing waits for the thread, which may be in a read that hangs.
CLOSE = 2.0


class LiveVideo:
    """The newest frames of a camera or stream; what is slow misses the others.

    A thread reads all frames and keeps only the newest, so that memory and delay do not
    grow where frames are used more slowly than they come. A source that is lost is
    opened again. Frames have the size of the first.

    Args:
        source: Number of a camera, URL of a stream, path of a file that is played like
            one, or a :class:`LiveSource`.
        reconnect: Time for which a lost source is tried again, in seconds.
        max_side: Larger frames are downscaled to this, in pixels.
        report: Called with a sentence where the source is lost or found again.

    Raises:
        InputError: If ``reconnect`` is negative, or the URL has an unknown scheme.

    Attributes:
        name: Name of the source, without a password.
        arrived: Number of frames that have arrived.
        reopened: How often a lost source was opened again.

    Example:
        >>> from ifdd_mmaction.video import LiveVideo
        >>> with LiveVideo('anna.mp4') as video:  # or 0, or 'rtsp://10.0.0.7/live'
        ...     for frame in video:
        ...         if frame is not None:  # None: there is no new one yet
        ...             size = frame.image.shape
        >>> video.arrived, size
        (8, (48, 64, 3))
    """

    def __init__(
        self,
        source: int | str | os.PathLike | LiveSource,
        reconnect: float = 30.0,
        max_side: int = MAX_SIDE,
        report: Callable[[str], None] = lambda sentence: None,
    ) -> None:
        if not reconnect >= 0:
            raise InputError(f'reconnect={reconnect}: must be 0 or more')
        given = isinstance(source, (int, str, os.PathLike))
        self._source: LiveSource = live_source(source) if given else source  # type: ignore
        self.name = self._source.name
        self.reconnect = reconnect
        self.max_side = max_side
        self.report = report
        self.arrived = self.reopened = 0
        self._start: float | None = None
        self._newest: Frame | None = None
        self._error: BaseException | None = None
        self._ended = False
        self._stop = Event()
        self._changed = Condition()
        self._thread = Thread(target=self._read, name='reading a stream', daemon=True)

    def __enter__(self) -> LiveVideo:
        """Start to read."""
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join(CLOSE)

    def __iter__(self) -> Iterator[Frame | None]:
        """Yield each newest frame, or None after :data:`IDLE` seconds without one.

        The times of frames are those of their arrival. ``index`` counts what arrived:
        where it increases by more than 1, frames were missed.

        Raises:
            InputError: If the source cannot be opened, or is lost for too long.
        """
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._newest or self._ended, IDLE)
                frame, self._newest = self._newest, None
                ended = self._ended
            if frame is None and ended:
                if self._error is not None:
                    raise self._error
                return
            yield frame

    @property
    def seconds(self) -> float:
        """Seconds since the first frame arrived, the clock of the frames' times."""
        return 0.0 if self._start is None else time.monotonic() - self._start

    def _read(self) -> None:
        try:
            for frame in one_size(self._frames()):
                with self._changed:
                    self._newest = frame
                    self._changed.notify()
        except BaseException as error:  # for the thread that iterates
            self._error = error
        with self._changed:
            self._ended = True
            self._changed.notify()

    def _frames(self) -> Iterator[Frame]:
        """Yield the frames of all connections, until one is lost for too long."""
        lost, wait = 0.0, FIRST_WAIT
        while not self._stop.is_set():
            reason = 'it ended'
            try:
                for arrival, image in self._source.connect(self._stop, TIMEOUT):
                    if self._start is None:
                        self._start = arrival
                    if lost:
                        self.reopened += 1
                        self.report(f'{self.name}: back after {arrival - lost:.1f} s')
                        lost, wait = 0.0, FIRST_WAIT
                    seconds = arrival - self._start
                    self.arrived += 1
                    yield Frame(self.arrived - 1, seconds, shrink(image, self.max_side))
            except LostError as error:
                reason = str(error)
            else:
                if self._source.ends or self._stop.is_set():
                    return
            if self._start is None:
                raise InputError(f'{self.name}: no frame has arrived: {reason}')
            now = time.monotonic()
            if not lost:
                lost = now
                self.report(f'{self.name}: lost ({reason}): opening it again')
            left = lost + self.reconnect - now
            if left <= 0:
                raise InputError(
                    f'{self.name}: lost: no frame for {now - lost:.0f} s ({reason}): '
                    'check the device or the network, or give it more time '
                    '(--reconnect)'
                )
            self._stop.wait(min(wait, left))
            wait = min(2 * wait, LONGEST_WAIT)
