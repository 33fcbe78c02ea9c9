"""Which decoder reads the videos: found by decoding, once per process.

PyAV is right for all files of the tests, and is taken by default. Where it does not
load, torchcodec is. ``IFDD_DECODER`` asks for another one, which is used for the files
for which it gives the same pixels (:mod:`.checked`).
"""

from __future__ import annotations

import functools
import json
import logging
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from importlib.util import find_spec
from typing import Any, NamedTuple

from mmengine.logging import MMLogger, print_log

from . import built_in
from .container import VideoError
from .decord_decoder import DecordVideo
from .open_video import Step
from .pyav_decoder import PyAVVideo
from .torchcodec_decoder import TorchcodecVideo

#: The environment variable, and its values in the order in which they are tried.
SETTING = 'IFDD_DECODER'
MODULES = dict(pyav='av', torchcodec='torchcodec', decord='decord')
NAMES = dict(pyav='PyAV', torchcodec='torchcodec', decord='decord')
VIDEOS: dict[str, Callable[[str, Step], Any]] = dict(
    pyav=PyAVVideo, torchcodec=TorchcodecVideo, decord=DecordVideo
)
REMEDIES = dict(
    pyav='pip install --force-reinstall "av>=17.1"',
    torchcodec='pip install "torchcodec>=0.12,<0.14" (newer ones of PyPI are built for '
    'CUDA) and the libraries of FFmpeg (apt install ffmpeg)',
    decord='pip install --force-reinstall decord, which needs Linux or Windows on '
    'x86-64; nothing but the DecordInit of MMAction2 needs it',
)
#: Seconds after which a decoder that does not come back is given up.
PATIENCE = 120.0


class Attempt(NamedTuple):
    """What came of decoding the built-in video.

    Attributes:
        title: The decoder with its versions, empty if it does not work.
        reason: Why it does not work.
    """

    title: str
    reason: str = ''

    def remedy(self, name: str) -> str:
        """Return what to do about it, given the name of the decoder."""
        if self.reason == 'not installed':
            return REMEDIES[name].replace('--force-reinstall ', '')
        return REMEDIES[name]


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
    with _lock:
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


@functools.cache
def try_decoder(name: str) -> Attempt:
    """Decode the built-in video, once per process.

    Others than PyAV do it in a process of their own first: they may crash.
    """
    if find_spec(MODULES[name]) is None:
        return Attempt('', 'not installed')
    if name != 'pyav' and (reason := _in_a_process(name)):
        return Attempt('', reason)
    try:
        return Attempt(built_in.decode(name))
    except Exception as error:
        return Attempt('', _reason(built_in.one_line(error)))


_lock = threading.Lock()
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


def _in_a_process(name: str) -> str:
    """Return why a decoder does not work in a process of its own, or ''."""
    try:
        result = subprocess.run(
            [sys.executable, '-W', 'ignore', str(built_in.__file__), name],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            encoding='utf-8',
            errors='replace',
            env={**os.environ, 'PYTHONIOENCODING': 'utf-8'},
            timeout=PATIENCE,
        )
    except subprocess.TimeoutExpired:
        return f'does not decode a frame within {PATIENCE:g} s'
    _, mark, found = result.stdout.rpartition(built_in.MARK)
    if mark:
        return _reason(json.loads(found.splitlines()[0]).get('error', ''))
    if result.returncode < 0:
        return f'crashes with {signal.Signals(-result.returncode).name}'
    return f'ends its process with code {result.returncode}'


def _reason(error: str) -> str:
    if not error or error.startswith('decodes wrongly'):
        return error
    return f'does not load: {error}'
