"""What is recognized, and where that is prohibited or must be announced."""

from __future__ import annotations

import functools
import sys

NOTICE = (
    'What is recognized is the expression that a face shows, not what a person feels.\n'
    'European Union, Regulation 2024/1689: inferring emotions is prohibited at work '
    'and in education (article 5(1)(f)); elsewhere, people must be told (article '
    '50(3)): docs/responsible_use.md'
)


@functools.cache
def print_notice() -> None:
    """Print :data:`NOTICE` to standard error, once in a process."""
    print(NOTICE, file=sys.stderr, flush=True)
