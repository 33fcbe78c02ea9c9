"""Show how far a long piece of work is, on standard error."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from typing import TypeVar

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeRemainingColumn,
)

T = TypeVar('T')
#: Seconds between two updates of a bar, and lines in a log.
INTERVAL, LINES = 0.2, 10


def track(
    items: Iterable[T],
    total: int | None,
    what: str,
    *,
    done: int = 0,
    show: bool = True,
    only_terminal: bool = False,
) -> Iterator[T]:
    """Hand on items, and show how many there have been.

    On a terminal it is a bar; elsewhere, such as in the log of a job, ten lines.

    Args:
        items: What is handed on.
        total: How many there will be, with those done before; None if it is not known.
        what: What is done with them.
        done: How many were done before.
        show: Whether to show anything.
        only_terminal: Whether to show nothing elsewhere, and remove the bar at the end.

    Example:
        >>> sum(track([1, 2, 3], 3, 'Adding'))
        6
    """
    console = Console(stderr=True, highlight=False)
    if not show or total == 0 or (only_terminal and not console.is_terminal):
        yield from items
    elif console.is_terminal:
        yield from _bar(items, total, what, done, console, only_terminal)
    else:
        for count, item in enumerate(items, start=done + 1):
            yield item
            if total and count * LINES // total > (count - 1) * LINES // total:
                console.print(f'{what}: {count}/{total}', soft_wrap=True)


def _bar(
    items: Iterable[T],
    total: int | None,
    what: str,
    done: int,
    console: Console,
    transient: bool,
) -> Iterator[T]:
    columns = (
        TextColumn('{task.description}'),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
    )
    # Without a thread that draws: workers may be forked meanwhile.
    bar = Progress(*columns, console=console, auto_refresh=False, transient=transient)
    with bar:
        task = bar.add_task(what, total=total, completed=done)
        drawn = 0.0
        for item in items:
            yield item
            bar.advance(task)
            if time.monotonic() - drawn > INTERVAL:
                bar.refresh()
                drawn = time.monotonic()
        bar.refresh()
