"""Note the signals that ask a program to end."""

from __future__ import annotations

import signal
import threading
from types import FrameType
from typing import Any


class Signals:
    """Records SIGINT and SIGTERM within a block, so that it can end between frames.

    A second one has its usual effect. In other threads than the main one nothing is
    recorded.

    Attributes:
        received: Number of the signal; 0 if there was none.

    Example:
        >>> import signal
        >>> from ifdd_mmaction.apis.signals import Signals
        >>> with Signals() as signals:
        ...     signal.raise_signal(signal.SIGINT)
        >>> signals.received == signal.SIGINT
        True
    """

    NUMBERS = (signal.SIGINT, signal.SIGTERM)

    def __init__(self) -> None:
        self.received = 0
        self._before: dict[int, Any] = {}

    def __enter__(self) -> Signals:
        if threading.current_thread() is threading.main_thread():
            self._before = {n: signal.signal(n, self._record) for n in self.NUMBERS}
        return self

    def __exit__(self, *_: object) -> None:
        self._restore()

    def _record(self, number: int, frame: FrameType | None) -> None:
        self.received = number
        self._restore()

    def _restore(self) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)
        self._before = {}
