"""What a check found."""

from __future__ import annotations

from typing import NamedTuple

OK, WARNING, PROBLEM = 'ok', 'warning', 'problem'


class Check(NamedTuple):
    """What a check found: its name, verdict, facts in words, and the remedy."""

    name: str
    verdict: str
    found: str
    remedy: str = ''
