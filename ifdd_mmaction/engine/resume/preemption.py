"""SIGTERM as clusters send it: to every process of a job, some time before the end."""

from __future__ import annotations

import os
import signal
import threading
from types import TracebackType
from typing import Any

import torch
from mmengine.dist import all_reduce

_active: set[Preemption] = set()


class Preemption:
    """Notes SIGTERM while it is entered, for a loop to end where it suits.

    The workers of a data loader that are started meanwhile live on, for the iteration
    that waits for them; their own process ends them.
    """

    def __init__(self) -> None:
        self._came = False
        self._previous: Any = None

    def __enter__(self) -> Preemption:
        # Elsewhere Python lets nobody listen, and SIGTERM ends the process as ever.
        if threading.current_thread() is threading.main_thread():
            _active.add(self)
            self._previous = signal.signal(signal.SIGTERM, self._note)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self in _active:
            signal.signal(signal.SIGTERM, self._previous)
            _active.discard(self)

    def _note(self, *_: Any) -> None:
        self._came = True

    def came(self) -> bool:
        """Tell whether SIGTERM came to any rank; all ranks have to ask."""
        flag = torch.tensor(float(self._came))
        all_reduce(flag, op='max')
        return bool(flag)


def _shield_worker() -> None:
    if _active:
        # Blocked, since a data loader installs handlers of its own after this.
        signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM])
        threading.Thread(target=_heed_parent, daemon=True).start()


def _heed_parent() -> None:
    while signal.sigwaitinfo([signal.SIGTERM]).si_pid != os.getppid():
        pass
    os._exit(0)


os.register_at_fork(after_in_child=_shield_worker)
