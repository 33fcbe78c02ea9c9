"""Real processes that start at once: forked from one that has imported everything.

Starting a tool takes five seconds of imports on a busy core. ``multiprocessing``'s fork
server imports them once for each process of pytest and does nothing else, so that what
is forked from it inherits no thread. A child has its own arguments, environment,
folder, streams and exit code, and may be killed. That each tool does its own imports
is tested in tests/tools/test_help.py.
"""

from __future__ import annotations

import atexit
import contextlib
import gc
import multiprocessing
import os
import runpy
import signal
import socket
import subprocess
import sys
import tempfile
import time
import types
import warnings
from collections.abc import Mapping, Sequence
from multiprocessing import forkserver
from pathlib import Path

import torch

ROOT = Path(__file__).parents[2]
#: Modules that the processes have imported: those of the tools and the tests' runs.
PRELOAD = (
    'ifdd_mmaction',
    'ifdd_mmaction.apis',
    'ifdd_mmaction.video',
    'mmengine.runner',
    'mmengine.visualization',
    'matplotlib.pyplot',
    'scipy.optimize',
    'torch._dynamo',  # every optimizer imports it
    'torch.utils.cpp_extension',  # MMEngine logs the environment with it
    'tests.helpers.forked_runs',
)


def free_port() -> int:
    """Return a free port of this machine."""
    with socket.socket() as server:
        server.bind(('127.0.0.1', 0))
        return server.getsockname()[1]


def wait_for(port: int) -> None:
    """Wait until a server of this machine listens.

    Raises:
        TimeoutError: If none does within a minute.
    """
    end = time.monotonic() + 60
    while time.monotonic() < end:
        with socket.socket() as client:
            if client.connect_ex(('127.0.0.1', port)) == 0:
                return
        time.sleep(0.01)
    raise TimeoutError(f'nothing listens at port {port}')


def fork(target, *args, group: bool = True, **kwargs) -> multiprocessing.Process:
    """Start a function of an importable module in a process of its own.

    Args:
        group: Whether signals to its process group are for it and its children alone.
    """
    context = multiprocessing.get_context('forkserver')
    context.set_forkserver_preload(list(PRELOAD))
    before = os.getcwd()
    os.chdir(ROOT)  # the server imports the tests from its folder
    try:
        forkserver.ensure_running()
        process = context.Process(target=_call, args=(target, args, kwargs, group))
        process.start()
    finally:
        os.chdir(before)
    return process


def _call(target, args, kwargs, group):
    gc.freeze()  # the garbage collector skips the imported objects
    if group:
        os.setsid()
    signal.signal(signal.SIGINT, signal.default_int_handler)
    # Python's own: from a fork server it inherits that, so that each pool and loader of
    # a tool would start one, which imports everything again.
    multiprocessing.set_start_method(None, force=True)
    try:
        target(*args, **kwargs)
    finally:  # the exit of a program, which multiprocessing skips
        atexit._run_exitfuncs()


def start_script(
    command: Sequence[object],
    stdout: Path,
    stderr: Path,
    cwd: Path = ROOT,
    env: Mapping[str, str] | None = None,
) -> multiprocessing.Process:
    """Start ``python SCRIPT ARGUMENT ...`` without the imports.

    Args:
        command: The script and its arguments.
        stdout: The file that its output is appended to.
        stderr: The file for the other stream; may be the same.
        cwd: The folder it starts in.
        env: Its whole environment (that of this process).
    """
    words = [str(word) for word in command]
    environment = dict(os.environ if env is None else env)
    streams = str(stdout), str(stderr)
    return fork(run_as_main, words, streams, str(cwd), environment)


def run_as_main(
    words: list[str], streams: Sequence[str], cwd: str, env: Mapping[str, str]
) -> None:
    """Let this process, a fork, run ``python WORD ...`` in an environment.

    Args:
        words: A script, or ``-c`` and code, and the arguments; before them perhaps
            ``-W ignore``.
        streams: The files that standard output and standard error are appended to.
        cwd: The folder to go to.
        env: The whole environment.
    """
    os.environ.clear()
    os.environ.update(env)
    for descriptor, name in enumerate((os.devnull, *streams)):
        flags = os.O_RDWR | os.O_CREAT | os.O_APPEND
        file = os.open(name, flags, 0o644)
        os.dup2(file, descriptor)  # also the output of libraries and the interpreter
        os.close(file)
    os.chdir(cwd)
    torch.set_num_threads(int(env.get('OMP_NUM_THREADS', torch.get_num_threads())))
    if words[:2] == ['-W', 'ignore']:
        warnings.simplefilter('ignore')
        words = words[2:]
    code = words.pop(1) if words[0] == '-c' else None
    folder = '' if code else str(Path(words[0]).absolute().parent)
    given = [entry for entry in env.get('PYTHONPATH', '').split(os.pathsep) if entry]
    elsewhere = [entry for entry in sys.path if entry not in ('', str(ROOT), *given)]
    sys.path[:] = [folder, *given, *elsewhere]
    sys.argv[:] = words
    if code:
        main = sys.modules['__main__'] = types.ModuleType('__main__')
        exec(compile(code, '<string>', 'exec'), vars(main))
    else:
        runpy.run_path(words[0], run_name='__main__')


def run_script(
    command: Sequence[object],
    cwd: Path = ROOT,
    env: Mapping[str, str] | None = None,
    timeout: float = 600,
) -> subprocess.CompletedProcess[str]:
    """Run ``python SCRIPT ARGUMENT ...`` to its end, without the imports.

    Raises:
        subprocess.TimeoutExpired: If it has not ended in so many seconds.
    """
    with tempfile.TemporaryDirectory() as folder:
        out, err = Path(folder, 'stdout'), Path(folder, 'stderr')
        process = start_script(command, out, err, cwd, env)
        process.join(timeout)
        if process.exitcode is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            raise subprocess.TimeoutExpired(list(map(str, command)), timeout)
        said = [f.read_text('utf-8') if f.exists() else '' for f in (out, err)]
    return subprocess.CompletedProcess(list(command), process.exitcode, *said)
