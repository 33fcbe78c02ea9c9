"""Wheels of the repository, built and installed as pip does it, without a network."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

from tests.helpers.golden import ROOT


def run(*command: object, cwd: Path, **env: str) -> str:
    """Run a command outside of the repository; return what it says."""
    own = {k: v for k, v in os.environ.items() if k != 'PYTHONPATH'}
    env = {**own, 'OMP_NUM_THREADS': '1', **env}
    result = subprocess.run(
        list(map(str, command)), cwd=cwd, env=env, capture_output=True, text=True
    )
    said = result.stdout + result.stderr
    assert result.returncode == 0, said[-5000:]
    return said


def build(kind: str, folder: Path, tree: Path) -> None:
    """Build what pip and `python -m build` ask setuptools for."""
    code = 'import sys; from setuptools import build_meta as b\n'
    run(sys.executable, '-c', f'{code}b.build_{kind}({str(folder)!r})', cwd=tree)


def copy_tree(tree: Path) -> Path:
    """Copy what is in the repository into a folder."""
    for path in ROOT.iterdir():
        if path.name in ('data', 'work_dirs', 'build', 'dist', 'shared'):
            continue
        if path.is_dir() and not path.name.startswith('.'):
            # The reference is generated, by tests/test_docs.py at the same time.
            generated = (
                '__pycache__',
                '.mim',
                '.bundled',
                '*.egg-info',
                'ifdd_mmaction*.md',
            )
            ignored = shutil.ignore_patterns(*generated)
            shutil.copytree(path, tree / path.name, ignore=ignored)
        elif path.is_file():
            shutil.copy(path, tree)
    return tree


def venv_with(wheel: Path, folder: Path) -> Path:
    """Install a wheel into a new virtual environment, and nothing else.

    Returns:
        The Python of the environment.
    """
    run(sys.executable, '-m', 'venv', '--without-pip', folder, cwd=folder)
    python = folder / 'bin' / 'python'
    run(
        sys.executable, '-m', 'pip', '--python', python, 'install', '--no-deps',
        '--no-index', wheel, cwd=folder,
    )  # fmt: skip
    return python
