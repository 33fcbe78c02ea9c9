"""Check the installation: ``ifdd doctor``, or ``python tools/doctor.py``.

Each check is a line with its verdict (ok, warning, problem) and, unless it is ok, a
line with the remedy. This file and doctor_checks need nothing but Python: whatever may
fail to load is imported in a process of its own, so that no defect of an installed
package, not even a crash, ends the checks. Exit codes: 0 no problem, 1 a problem was
found, 2 wrong arguments, or FILE cannot be written.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from doctor_checks.check import OK, PROBLEM, WARNING, Check
from doctor_checks.gpu import check_compile, check_gpu
from doctor_checks.machine import check_cache, check_open_files, check_shared_memory
from doctor_checks.packages import (
    check_jpeg,
    check_module,
    check_package,
    check_python,
    check_video,
)
from doctor_checks.probes import MODULES

#: The checks, in the order in which they are printed.
CHECKS: Mapping[str, Callable[[], Check]] = {
    'python': check_python,
    **{row[0]: lambda module=module: check_module(module)
       for module, row in MODULES.items()},
    'ifdd_mmaction': check_package,
    'video decoder': check_video,
    'jpeg decoder': check_jpeg,
    'gpu': check_gpu,
    'torch.compile': check_compile,
    'shared memory': check_shared_memory,
    'open files': check_open_files,
    'cache': check_cache,
}  # fmt: skip


def summary(checks: Sequence[Check]) -> dict[str, Any]:
    """Return the checks as data."""
    verdicts = {check.verdict for check in checks}
    worst = next(v for v in (PROBLEM, WARNING, OK) if v in verdicts)
    return dict(verdict=worst, checks=[check._asdict() for check in checks])


def write_json(path: Path, data: Mapping[str, Any]) -> None:
    """Write data to a file, which is replaced only when all is written."""
    part = path.with_name(f'.{path.name}.{os.getpid()}')
    try:
        part.write_text(json.dumps(data, indent=2) + '\n', 'utf-8')
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description='Check the installation')
    parser.add_argument(
        'names', nargs='*', metavar='CHECK', help='only these of ' + ', '.join(CHECKS)
    )
    parser.add_argument(
        '--json', type=Path, metavar='FILE', help='write the same as data'
    )
    args = parser.parse_args(argv)
    for name in args.names:
        if name not in CHECKS:
            parser.error(f'no check {name!r}: there are {", ".join(CHECKS)}')
    chosen = [call for name, call in CHECKS.items() if name in (args.names or CHECKS)]
    checks = []
    with ThreadPoolExecutor(min(4, os.cpu_count() or 1)) as pool:
        for check in pool.map(lambda call: call(), chosen):
            print(f'{check.verdict:8} {check.name:14} {check.found}', flush=True)
            if check.verdict != OK:
                print(f'{"":8} {"":14} remedy: {check.remedy}', flush=True)
            checks.append(check)
    data = summary(checks)
    counts = [f'{sum(c.verdict == v for c in checks)} {v}' for v in (WARNING, PROBLEM)]
    print(f'{len(checks)} checks: {counts[0]}(s), {counts[1]}(s)')
    if args.json:
        try:
            write_json(args.json, data)
        except OSError as error:
            print(f'{args.json} cannot be written: {error.strerror}', file=sys.stderr)
            return 2
    return int(data['verdict'] == PROBLEM)


if __name__ == '__main__':
    sys.exit(main())
