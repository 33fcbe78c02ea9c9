"""Parts of a report, each in a process of its own, within a budget of time.

A part that fails, ends its process or does not end is recorded and the next goes on: a
kernel that reads outside of its memory makes a GPU unusable for its process, not for
the others.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from multiprocessing import connection, get_context, parent_process
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

import torch
from measuring import Setup
from mmengine.registry import init_default_scope

DONE, FAILED, LEFT_OUT = 'done', 'failed', 'left out'
#: What a part has come to: its state, its rows by name, and why it is not done.
Outcome = dict[str, Any]


@dataclass(frozen=True)
class Context:
    """What all parts measure, and what those before have found.

    Args:
        config: The config of the model.
        clip: (T, H, W) of a clip.
        batches: Clips in a batch, the most important first.
        rounds: Turns of what is timed.
        setup: What it runs on.
        small: Whether it is a rehearsal with small shapes.
        candidate: ``FILE.py:FUNCTION`` of one more pooling.
        found: Outcomes by the name of the part.
    """

    config: Path
    clip: tuple[int, ...]
    batches: tuple[int, ...]
    rounds: int
    setup: Setup
    small: bool = False
    candidate: str | None = None
    found: Mapping[str, Outcome] = field(default_factory=dict)

    def with_dtype(self, dtype: str) -> Setup:
        """Return the setup with another dtype."""
        return replace(self.setup, dtype=dtype)

    def rows(self, part: str) -> dict[str, Any]:
        """Return what a part has found; nothing if it was not run."""
        return self.found.get(part, {}).get('rows', {})


@dataclass(frozen=True)
class Part:
    """A piece of the report.

    Args:
        name: Of the part.
        run: Yields the rows by name; it can be pickled.
        needs: Seconds without which it is not begun.
        most: Seconds after which it is stopped, so that there are some for the others.
    """

    name: str
    run: Callable[[Context], Iterator[tuple[str, dict[str, Any]]]]
    needs: float
    most: float = float('inf')


def one_line(error: BaseException) -> str:
    """Write an error as one line."""
    lines = [line.strip() for line in str(error).splitlines()]
    first = next((line for line in lines if line), '')
    return f'{type(error).__name__}: {first}'[:300]


def go_through(
    parts: Sequence[Part],
    found: dict[str, Outcome],
    run: Callable[[Part, float], Outcome],
    save: Callable[[], None],
    minutes: float,
    clock: Callable[[], float] = time.monotonic,
) -> None:
    """Run the parts that are not done, for as long as the time lasts.

    Args:
        found: Their outcomes, which are added to.
        run: Runs a part within a number of seconds.
        save: Called after each part.
        minutes: The budget.
        clock: Tells the time in seconds.
    """
    start = clock()

    def say(what: str) -> None:
        spent = clock() - start
        left = max(60 * minutes - spent, 0)
        print(f'[{spent:3.0f} s, {left:3.0f} s left] {what}', file=sys.stderr)

    for part in parts:
        if found.get(part.name, {}).get('state') == DONE:
            continue
        left = 60 * minutes - (clock() - start)
        if left < part.needs:
            reason = f'needs about {part.needs:.0f} s, {max(left, 0):.0f} s were left'
            # What an earlier run has of it is kept.
            rows = found.get(part.name, {}).get('rows', {})
            found[part.name] = dict(state=LEFT_OUT, reason=reason, rows=rows)
            say(f'{part.name}: left out, {reason}')
        else:
            say(f'{part.name} ...')
            found[part.name] = run(part, min(left, part.most))
            if found[part.name]['state'] == FAILED:
                say(f'{part.name} failed: {found[part.name]["reason"]}')
        save()


def run_apart(part: Part, context: Context, limit: float) -> Outcome:
    """Run a part in a process of its own, for at most ``limit`` seconds."""
    processes = get_context('forkserver')
    # The first step of an optimizer imports the compiler, too.
    processes.set_forkserver_preload(['ifdd_mmaction', 'torch._dynamo'])
    receiver, sender = processes.Pipe(duplex=False)
    process = processes.Process(target=_work, args=(part, context, sender))
    start = time.monotonic()
    process.start()
    sender.close()  # this side of it, so that the end of the process is noticed
    outcome: Outcome = dict(state=DONE, rows={})
    try:
        reason = _receive(receiver, process, outcome['rows'], start + limit)
    finally:
        _end(process)
    if reason:
        outcome.update(state=FAILED, reason=reason)
    outcome['seconds'] = round(time.monotonic() - start, 1)
    return outcome


def _receive(
    receiver: Connection, process: BaseProcess, rows: dict[str, Any], deadline: float
) -> str | None:
    """Collect rows until the part is done; return why it is not."""
    while True:
        if not receiver.poll(max(0.0, deadline - time.monotonic())):
            return 'stopped: the time was up'
        try:
            message = receiver.recv()
        except EOFError:
            process.join()
            return f'its process ended with code {process.exitcode}'
        if isinstance(message, str) or message is None:
            return message
        name, row = message
        rows[name] = row


def _work(part: Part, context: Context, sender: Connection) -> None:
    os.setsid()  # so that what it starts (a compiler) can be ended with it
    threading.Thread(target=_end_with_parent, daemon=True).start()
    try:
        torch.set_num_threads(context.setup.threads)
        init_default_scope('mmaction')
        if not context.setup.on_cpu:
            torch.cuda.set_device(context.setup.device)
        elif context.small:
            # To compile takes minutes on a CPU: a rehearsal calls models as they are.
            os.environ['TORCHDYNAMO_DISABLE'] = '1'
        for message in part.run(context):
            sender.send(message)
        sender.send(None)
    except Exception as error:
        traceback.print_exc()
        sender.send(one_line(error))


def _end_with_parent() -> None:
    parent = parent_process()
    if parent is not None:
        connection.wait([parent.sentinel])
        os.killpg(0, signal.SIGKILL)


def _end(process: BaseProcess) -> None:
    """End a process and what it has started."""
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid or 0, signal.SIGKILL)
    process.kill()
    process.join()
