"""The console command ``ifdd``, where the package cannot be imported too.

Importing any module of ``ifdd_mmaction`` imports torch, mmcv and MMAction2. ``ifdd
doctor`` says why that fails, and so must not do it: this module is outside the package.
"""

from __future__ import annotations

import os
import runpy
import sys
from importlib.util import find_spec
from pathlib import Path


def doctor(words: list[str]) -> int:
    """Run ``tools/doctor.py``, of the installed package or of the clone."""
    spec = find_spec('ifdd_mmaction')  # finds the package without importing it
    if spec is None or spec.origin is None:
        print('ifdd: no package ifdd_mmaction: install it again', file=sys.stderr)
        return 1
    package = Path(spec.origin).parent
    folders = package / '.mim' / 'tools', package.parent / 'tools'
    tool = next((f / 'doctor.py' for f in folders if f.is_dir()), folders[0])
    if not tool.is_file():
        print(f'ifdd: no file {tool}: install the package again', file=sys.stderr)
        return 2
    sys.argv = ['ifdd doctor', *words]
    sys.path.insert(0, str(tool.parent))
    return int(runpy.run_path(str(tool))['main']())


def main() -> int:
    """Run ``ifdd VERB ...``.

    Returns:
        The exit code: that of the verb, or 1 if the package cannot be imported.
    """
    if sys.argv[1:2] == ['doctor']:
        return doctor(sys.argv[2:])
    try:
        from ifdd_mmaction.cli import main as run
    except Exception as error:
        if os.environ.get('IFDD_TRACEBACK'):
            raise
        said = ' '.join(str(error).split())
        print(
            f'ifdd: ifdd_mmaction cannot be imported: {type(error).__name__}: {said}: '
            '`ifdd doctor` names the remedy, IFDD_TRACEBACK=1 shows the traceback',
            file=sys.stderr,
        )
        return 1
    return run()
