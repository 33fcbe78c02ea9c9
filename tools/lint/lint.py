"""Look for what ruff has no rule for: docstrings, error messages, pages.

::

    python tools/lint/lint.py [FOLDER]

Each finding is a line ``file:line: message``. Nothing is imported or run: the files are
read as text and as syntax trees. Exit codes: 0 nothing found, 1 something found,
2 wrong arguments.
"""

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path

import docstring_rules
import error_rules
import page_rules

RULES = (
    docstring_rules.explained,
    error_rules.what_was_seen,
    error_rules.unsafe_calls,
    error_rules.exit_codes,
    page_rules.marks,
    page_rules.names,
    page_rules.links,
)


def findings(root: Path) -> Iterator[str]:
    """Yield what the rules find below a folder."""
    for rule in RULES:
        for path, line, message in rule(root):
            yield f'{path.relative_to(root).as_posix()}:{line}: {message}'


def main() -> int:
    """Print the findings."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        'folder',
        nargs='?',
        type=Path,
        default=Path(__file__).resolve().parents[2],
        help='the repository (that of this file)',
    )
    root = parser.parse_args().folder.resolve()
    if not (root / 'ifdd_mmaction').is_dir():
        parser.error(f'{root} has no folder ifdd_mmaction: give the repository')
    found = list(findings(root))
    print(*found, sep='\n', end='\n' if found else '')
    return int(bool(found))


if __name__ == '__main__':
    sys.exit(main())
