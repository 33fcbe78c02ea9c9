"""Interpreters that have imported nothing of this project, nor of OpenMMLab.

Nine tenths of the time that ``import ifdd_mmaction`` takes are those of the packages
below it, such as PyTorch. One process for each of pytest imports those, and forks for
each run, which then imports this package, MMEngine, MMCV and MMAction2 as after a start
from nothing. Start a new interpreter (``subprocess``) where what is tested comes
before: a module of :data:`PRELOAD` that is broken, or a variable that is read when
Python or PyTorch starts.
"""

from __future__ import annotations

import gc
import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from functools import cache
from importlib import import_module
from pathlib import Path
from threading import Lock

from tests.helpers.processes import ROOT, run_as_main

#: What takes long to import, and is not changed by ``ifdd_mmaction.compat``.
PRELOAD = (
    'cv2',
    'matplotlib.figure',
    'rich.progress',
    'scipy.optimize',
    'scipy.stats',
    'torch._dynamo',
    'torch.distributed.optim',
)
#: Tests look at the imports of these.
LATER = (
    'ifdd_mmaction', 'mmengine', 'mmcv', 'mmaction', 'av', 'decord', 'torchcodec',
)  # fmt: skip
SECONDS = 600

_lock = Lock()


def serve() -> None:
    """Fork for each line of the input; write the exit code of each."""
    for name in PRELOAD:
        import_module(name)
    assert not set(LATER) & set(sys.modules)
    gc.freeze()
    while request := sys.stdin.readline():
        if not (child := os.fork()):
            os.setsid()
            signal.alarm(SECONDS)
            return run_as_main(*json.loads(request))
        _, status = os.waitpid(child, 0)
        print(os.waitstatus_to_exitcode(status), flush=True)


@cache
def _server() -> subprocess.Popen[str]:
    code = 'from tests.helpers.interpreters import serve; serve()'
    return subprocess.Popen(
        [sys.executable, '-c', code],
        cwd=ROOT,
        env={**os.environ, 'PYTHONPATH': '', 'OMP_NUM_THREADS': '1'},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def run_python(
    command: Sequence[object],
    cwd: Path = ROOT,
    env: Mapping[str, str] | None = None,
) -> subprocess.CompletedProcess[str]:
    """Run ``python COMMAND`` to its end and return what it wrote.

    Args:
        command: ``[-W ignore] SCRIPT ARGUMENT ...`` or ``[-W ignore] -c CODE ...``.
        cwd: The folder it starts in.
        env: Its whole environment (that of this process).
    """
    environment = dict(os.environ if env is None else env)
    server = _server()
    with tempfile.TemporaryDirectory() as folder, _lock:  # one run at a time
        out, err = Path(folder, 'stdout'), Path(folder, 'stderr')
        request = list(map(str, command)), (str(out), str(err)), str(cwd), environment
        server.stdin.write(json.dumps(request) + '\n')
        server.stdin.flush()
        code = int(server.stdout.readline())
        said = [path.read_text('utf-8') for path in (out, err)]
    return subprocess.CompletedProcess(list(command), code, *said)
