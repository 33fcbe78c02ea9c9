"""Show how far a long piece of work is."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from typing import TypeVar

from mmengine.utils import ProgressBar

T = TypeVar('T')


def track(items: Iterable[T], total: int, what: str) -> Iterator[T]:
    """Hand on items under a progress bar on stderr."""
    if not total:
        return
    print(what, file=sys.stderr)
    bar = ProgressBar(total, file=sys.stderr)
    # Where the output is a file, each update adds to it: not every item.
    step = max(1, total // 100)
    for i, item in enumerate(items, start=1):
        yield item
        if i % step == 0 or i == total:
            bar.update(i - bar.completed)
    print(file=sys.stderr)
