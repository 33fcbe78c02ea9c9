"""Run the numeric tests with all kernels that a processor has, and write a table.

    python -m tests.numeric_matrix --processor 'AMD EPYC (Zen 4)'
    python -m tests.numeric_matrix tests/models/necks tests/models/losses

ATen, oneDNN and MKL choose kernels apart from each other, by the instructions that a
processor has; each is held to lower ones by an environment variable. The tests are
those that use ``tests/helpers/numeric.py``. The first environment runs all of them, the
others those that took less than ``--seconds`` there. The table goes into the first part
of ``tests/numeric_matrix.md``.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import re
import subprocess
import sys
import tempfile
import xml.etree.ElementTree as ElementTree
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[1]
PAGE = ROOT / 'tests' / 'numeric_matrix.md'
MARK = '<!-- {} -->\n'
ATEN, ONEDNN, MKL = 'ATEN_CPU_CAPABILITY', 'ONEDNN_MAX_CPU_ISA', 'MKL_CBWR'
#: Environments, each with what must be found in what PROBE says of it.
ENVIRONMENTS = {
    '': '',
    f'{ATEN}=default': 'aten DEFAULT',
    f'{ATEN}=avx2': 'aten AVX2',
    f'{ATEN}=avx512': 'aten AVX512',
    f'{ONEDNN}=SSE41': 'cpu,isa:Intel SSE4.1',
    f'{ONEDNN}=AVX2': 'cpu,isa:Intel AVX2',
    f'{ONEDNN}=AVX512_CORE': 'cpu,isa:Intel AVX-512',
    f'{ONEDNN}=DEFAULT': 'cpu,isa:',
    f'{ONEDNN}=AVX512_CORE_AMX': 'AMX',
    f'{MKL}=COMPATIBLE': 'CNR:COMPATIBLE',
    f'{MKL}=AVX2': 'CNR:AVX2',
    f'{MKL}=AVX512': 'CNR:AVX512',
    f'{ATEN}=default {ONEDNN}=SSE41 {MKL}=COMPATIBLE': 'CNR:COMPATIBLE',
}
PROBE = """
import torch
print('aten', torch.backends.cpu.get_cpu_capability())
torch.nn.functional.conv2d(torch.rand(4, 32, 64, 64), torch.rand(32, 32, 3, 3))
torch.rand(64, 64) @ torch.rand(64, 64)
"""


class Outcome(NamedTuple):
    """What a run of tests found.

    Attributes:
        seconds: Of each test, by name.
        failed: Names of the tests that failed.
        ratios: Largest error/bound of each test that uses ``tests/helpers/numeric.py``.
    """

    seconds: dict[str, float]
    failed: set[str]
    ratios: dict[str, float]


def numeric_files() -> list[str]:
    """Return the test files in which numbers may be compared by the rule."""
    paths = sorted((ROOT / 'tests').rglob('test_*.py'))
    used = re.compile(
        r'helpers\.(numeric|backbone_matrix) import|helpers import .*numeric', re.M
    )
    return [
        str(path.relative_to(ROOT)) for path in paths if used.search(path.read_text())
    ]


def run_tests(tests: list[str], *options: str, **environment: str) -> Outcome:
    """Run tests, files or names, in a process with environment variables."""
    with tempfile.TemporaryDirectory() as folder:
        listed, report = Path(folder, 'tests.txt'), Path(folder, 'report.xml')
        log = Path(folder, 'log.jsonl')
        listed.write_text('\n'.join(tests))
        command = [sys.executable, '-m', 'pytest', '-q', '-p', 'no:cacheprovider']
        command += [f'--junitxml={report}', '-o', 'junit_family=xunit1', *options]
        environment = dict(os.environ, IFDD_NUMERIC_LOG=str(log), **environment)
        done = subprocess.run(
            [*command, f'@{listed}'], cwd=ROOT, env=environment, capture_output=True
        )
        if done.returncode not in (0, 1):
            raise RuntimeError(done.stdout.decode()[-3000:] + done.stderr.decode())
        ratios: dict[str, float] = {}
        for line in log.read_text().splitlines() if log.exists() else ():
            test, ratio, _ = json.loads(line)
            ratios[test] = max(ratio, ratios.get(test, 0.0))
        cases = ElementTree.parse(report).iter('testcase')
        seconds, failed = {}, set()
        for case in cases:
            name = f'{case.get("file")}::{case.get("name")}'
            seconds[name] = float(case.get('time', 0))
            if case.find('failure') is not None or case.find('error') is not None:
                failed.add(name)
        return Outcome(seconds, failed, ratios)


def write_part(name: str, text: str) -> None:
    """Replace a part of the page, between two marks of its name."""
    page = PAGE.read_text() if PAGE.exists() else ''
    start, end = MARK.format(name), MARK.format(f'end of {name}')
    part = f'{start}\n{text.strip()}\n\n{end}'
    if start in page:
        before, rest = page.split(start)
        page = before + part + rest.split(end)[1]
    else:
        page = f'{page}\n{part}'.lstrip()
    PAGE.write_text(page)


def in_effect(environment: dict[str, str]) -> str:
    """Return what the three libraries say of the kernels that they will take."""
    verbose = dict(os.environ, ONEDNN_VERBOSE='1', MKL_VERBOSE='1', **environment)
    done = subprocess.run(
        [sys.executable, '-c', PROBE], env=verbose, capture_output=True, text=True
    )
    return done.stdout + done.stderr


def main() -> int:
    """Run all environments, write the table; 1 if a test failed in any."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        '--processor', default=platform.machine(), help='as the page names it'
    )
    parser.add_argument(
        '--seconds', type=float, default=5, help='of the longest tests run everywhere'
    )
    parser.add_argument('--threads', nargs='*', default=['1', '2'])
    parser.add_argument('tests', nargs='*', help='instead of all numeric ones')
    args = parser.parse_args()
    tests = args.tests or numeric_files()
    failures = set()
    for threads in args.threads:
        rows, skipped = [], []
        for text, wanted in ENVIRONMENTS.items():
            # Threads that spin while they wait would take each other's processor.
            environment = dict(OMP_NUM_THREADS=threads, OMP_WAIT_POLICY='PASSIVE')
            environment |= dict(item.split('=') for item in text.split())
            if wanted not in (said := in_effect(environment)):
                found = re.findall(r'aten \S+|cpu,isa:[^\n]*|CNR:\S+', said)
                skipped.append(f'- `{text}`: it takes {", ".join(found[:3])}')
                continue
            outcome = run_tests(tests, **environment)
            failures |= outcome.failed
            rows.append(row(text, threads, outcome))
            print(rows[-1], *sorted(outcome.failed), sep='\n', flush=True)
            # As far as it got, for this takes long.
            part = table(args.processor, rows, skipped)
            write_part(f'kernels, threads: {threads}', part)
            if len(rows) == 1:
                tests = [
                    name
                    for name in outcome.ratios
                    if outcome.seconds.get(name, 0) < args.seconds
                ]
    return int(bool(failures))


def row(environment: str, threads: str, outcome: Outcome) -> str:
    """Return a row of the table."""
    worst = max(outcome.ratios, key=outcome.ratios.__getitem__)
    failed = outcome.failed & outcome.ratios.keys()
    name = f'`{environment}`' if environment else 'as it is'
    return (
        f'| {name} | {threads} | {len(outcome.ratios)} | {len(failed)} '
        f'| {outcome.ratios[worst]:.2f} | `{worst.removeprefix("tests/")}` |'
    )


def table(processor: str, rows: list[str], skipped: list[str]) -> str:
    """Return the part of the page."""
    head = '| environment | threads | tests | failed | largest error/bound | of |'
    lines = [f'Processor: {processor}.', '', head, '|---|---|---|---|---|---|', *rows]
    if skipped:
        lines += ['', 'Not run, for the processor has no such kernels:', '', *skipped]
    return '\n'.join(lines)


if __name__ == '__main__':
    sys.exit(main())
