"""Whether a decoder works here: each decodes the built-in video, once per process."""

from __future__ import annotations

import functools
import json
import os
import signal
import subprocess
import sys
from importlib.util import find_spec
from typing import NamedTuple

from . import built_in

#: The decoders in the order in which they are tried: their modules and names.
MODULES = dict(pyav='av', torchcodec='torchcodec', decord='decord')
NAMES = dict(pyav='PyAV', torchcodec='torchcodec', decord='decord')
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
