"""Running the project's tools as a user does: in processes of their own."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from tests.helpers.golden import ROOT
from tests.helpers.interpreters import run_python
from tests.helpers.processes import run_script

TINY = ROOT / 'tests' / 'data' / 'tiny_dfew.py'


def run_tool(
    tool: str, *args: object, check: int | None = 0, fresh: bool = False, **env: str
) -> subprocess.CompletedProcess[str]:
    """Run ``tools/<tool>``; assert its exit code unless ``check`` is None.

    Args:
        fresh: Whether it imports this package, MMEngine and MMAction2 as after a start
            from nothing, instead of a process that has the imports done.
    """
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ['PATH']])
    environment = {**os.environ, 'PATH': path, 'OMP_NUM_THREADS': '1', **env}
    command = [str(ROOT / 'tools' / tool), *map(str, args)]
    if tool.endswith('.py'):
        run = run_python if fresh else run_script
        result = run(command, env=environment)
    else:
        result = subprocess.run(
            command, capture_output=True, text=True, env=environment, cwd=ROOT
        )
    if check is not None:
        assert result.returncode == check, result.stdout[-3000:] + result.stderr[-5000:]
    return result


def data_options(root: Path, *loaders: str) -> list[str]:
    """Return the ``--cfg-options`` that point loaders to a data root."""
    return [f'{loader}_dataloader.dataset.data_root={root}' for loader in loaders]
