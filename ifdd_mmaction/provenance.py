"""What a result was made with: command, commit, date and environment."""

from __future__ import annotations

import datetime
import os
import platform
import shlex
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from .version import __version__

ROOT = Path(__file__).resolve().parents[1]
#: What decides results; writing them into docs/ is no change of the code.
CODE = ('ifdd_mmaction', 'configs', 'tools', 'third_party')


def source_commit(root: Path = ROOT) -> str:
    """Return the commit of the code in a git checkout.

    Args:
        root: Top folder of the checkout; that of this package by default.

    Returns:
        12 hexadecimal digits, with ``-dirty`` if the code differs from that commit;
        ``'unknown'`` outside a checkout.

    Example:
        >>> from pathlib import Path
        >>> from ifdd_mmaction.provenance import source_commit
        >>> source_commit(Path('/dev'))
        'unknown'
    """
    top = _git(root, 'rev-parse', '--show-toplevel')
    # An installed package may lie within the checkout of another project.
    if not top or not Path(top).samefile(root):
        return 'unknown'
    commit = _git(root, 'rev-parse', '--short=12', 'HEAD') or 'unknown'
    return f'{commit}-dirty' if _git(root, 'status', '--porcelain', *CODE) else commit


def _git(root: Path, *words: str) -> str:
    """Return what git says; nothing if it fails or is not installed."""
    try:
        found = subprocess.run(
            ['git', '-C', str(root), *words], capture_output=True, text=True
        )
    except OSError:
        return ''
    return found.stdout.strip() if found.returncode == 0 else ''


def command_line(words: Sequence[str]) -> str:
    """Return a command as a user types it in the checkout.

    Args:
        words: As ``sys.argv`` has them.

    Example:
        >>> from ifdd_mmaction.provenance import ROOT, command_line
        >>> command_line([str(ROOT / 'tools' / 'test.py'), 'my config.py'])
        "python tools/test.py 'my config.py'"
        >>> command_line(['ifdd test', 'config.py'])
        'ifdd test config.py'
    """
    program, *arguments = words
    path = Path(program)
    if path.suffix == '.py':
        path = path.absolute()
        path = path.relative_to(ROOT) if path.is_relative_to(ROOT) else path
        program = f'python {shlex.quote(str(path))}'
    return ' '.join([program, *map(shlex.quote, arguments)])


def provenance() -> dict[str, Any]:
    """Describe this process, for the JSON that it writes.

    Returns:
        ``command``, ``commit`` (see :func:`source_commit`), ``date`` (UTC), and
        ``environment``: number of CPUs and versions of packages.

    Example:
        >>> from ifdd_mmaction.provenance import provenance
        >>> list(provenance())
        ['command', 'commit', 'date', 'environment']
    """
    return dict(
        command=command_line(sys.argv),
        commit=source_commit(),
        date=datetime.datetime.now(datetime.timezone.utc).date().isoformat(),
        environment=dict(
            cpus=os.cpu_count(),
            python=platform.python_version(),
            torch=torch.__version__,
            ifdd_mmaction=__version__,
        ),
    )
