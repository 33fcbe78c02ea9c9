"""Which decoder reads the videos: found by decoding, once per process.

PyAV is right for all files of the tests, and is taken by default. Where it does not
load, torchcodec is. ``IFDD_DECODER`` asks for another one, which is used for the files
for which it gives the same pixels (:mod:`.checked`).
"""

from __future__ import annotations

import functools
import logging
import os
from collections.abc import Callable
from importlib.util import find_spec
from typing import Any, NamedTuple

from mmengine.logging import MMLogger, print_log

from .attempts import MODULES, NAMES, try_decoder
from .container import VideoError
from .decord_decoder import DecordVideo
from .open_video import Step
from .pyav_decoder import PyAVVideo
from .torchcodec_decoder import TorchcodecVideo

#: The environment variable, and its values in the order in which they are tried.
SETTING = 'IFDD_DECODER'
VIDEOS: dict[str, Callable[[str, Step], Any]] = dict(
    pyav=PyAVVideo, torchcodec=TorchcodecVideo, decord=DecordVideo
)


class Choice(NamedTuple):
    """The decoders of this process.

    Attributes:
        exact: Reads all files in order: ``'pyav'``, or where it does not load
            ``'torchcodec'``.
        asked: Reads frames by number where it gives those of ``exact``, or ``''``.
        exact_title: The first with its versions.
        title: Both with their versions: what results and checkpoints record.
    """

    exact: str
    asked: str
    exact_title: str
    title: str

    def open(self, path: str, step: Step) -> Any:
        """Open a file with the exact decoder."""
        return VIDEOS[self.exact](path, step)


def choose() -> Choice:
    """Return the decoders of this process.

    The first call finds them, and writes a line to the log; so does the first call
    after MMEngine's current logger has changed.

    Raises:
        VideoError: If neither PyAV nor torchcodec works, or ``$IFDD_DECODER`` names
            no decoder.
    """
    wanted = os.environ.get(SETTING) or 'pyav'
    if wanted not in VIDEOS:
        raise VideoError(f'{SETTING}={wanted}: want one of {", ".join(VIDEOS)}')
    choice, said, level = _choose(wanted)
    log(said, level, once=True)
    return choice


def describe() -> str:
    """Try all decoders, and return what came of it in one line, for ``ifdd doctor``.

    Raises:
        VideoError: As of :func:`choose`.
    """
    choice = choose()
    others = (
        f'{NAMES[name]}: {attempt.reason or "works"}'
        for name in VIDEOS
        if name not in (choice.exact, choice.asked)
        for attempt in (try_decoder(name),)
    )
    return '; '.join((f'{choice.title} decodes the built-in video', *others))


#: Loggers and the lines that were written to them once.
_told: set[tuple[str, str]] = set()


@functools.cache
def _choose(wanted: str) -> tuple[Choice, str, int]:
    """Return the decoders, and the line for the log with its level."""
    tried = {'pyav': try_decoder('pyav')}
    for name in dict.fromkeys(('torchcodec', wanted)):
        if name not in tried and (name == wanted or not tried['pyav'].title):
            tried[name] = try_decoder(name)
    exact = next(
        (n for n in ('pyav', 'torchcodec') if n in tried and tried[n].title), ''
    )
    asked = wanted if exact and wanted != exact and tried[wanted].title else ''
    if not exact:
        reasons = '; '.join(
            f'{NAMES[n]} {a.reason or "reads no file without one of the others"}'
            for n, a in tried.items()
        )
        raise VideoError(
            f'no decoder of videos works: {reasons}: {tried["pyav"].remedy("pyav")}'
        )
    title = tried[exact].title
    if asked:
        title = f'{tried[asked].title}, checked against {title}'
    others, failed = [], False
    for name in VIDEOS:
        if name in (exact, asked):
            continue
        if name in tried:
            needed = name in (wanted, 'pyav')
            failed |= needed
            remedy = f': {tried[name].remedy(name)}' if needed else ''
            others.append(f'{NAMES[name]} ({tried[name].reason}{remedy})')
        else:
            there = find_spec(MODULES[name]) is not None
            reason = f'{SETTING} does not ask for it' if there else 'not installed'
            others.append(f'{NAMES[name]} ({reason})')
    said = f'videos are read by {title}'
    said += ''.join(f'; not {other}' for other in others)
    level = logging.WARNING if failed else logging.INFO
    return Choice(exact, asked, tried[exact].title, title), said, level


def log(message: str, level: int, once: bool = False) -> None:
    """Write to MMEngine's current logger.

    Args:
        message: One line.
        level: Of :mod:`logging`.
        once: Whether to leave out what was written to the same logger before.
    """
    key = (MMLogger.get_current_instance().instance_name, message)
    if not once or key not in _told:
        _told.add(key)
        print_log(message, 'current', level)
