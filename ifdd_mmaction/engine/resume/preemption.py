"""Handle SIGTERM, which clusters send to every process of a job before ending it."""

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
    """Record SIGTERM inside a ``with`` block, so that a loop can end between batches.

    Data loader workers that are started in the block ignore SIGTERM from others than
    their parent process, so that the current iteration gets its batch.
    """

    def __init__(self) -> None:
        self._received = False
        self._previous: Any = None

    def __enter__(self) -> Preemption:
        # In other threads Python allows no handler, and SIGTERM ends the process.
        if threading.current_thread() is threading.main_thread():
            _active.add(self)
            self._previous = signal.signal(signal.SIGTERM, self._record)
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

    def _record(self, *_: Any) -> None:
        self._received = True

    def received(self) -> bool:
        """Return whether any rank received SIGTERM; all ranks have to call this."""
        flag = torch.tensor(float(self._received))
        all_reduce(flag, op='max')
        return bool(flag)


def _block_sigterm() -> None:
    if _active:
        # Blocked, not handled: a data loader installs its own handlers after this.
        signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM])
        threading.Thread(target=_exit_on_parents_sigterm, daemon=True).start()


def _exit_on_parents_sigterm() -> None:
    while signal.sigwaitinfo([signal.SIGTERM]).si_pid != os.getppid():
        pass
    os._exit(0)


os.register_at_fork(after_in_child=_block_sigterm)
