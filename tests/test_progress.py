"""How far a piece of work is: a bar on a terminal, a few lines in a log."""

import json
import os
import pty
import re
import subprocess
import sys

import pytest

from tests.helpers.golden import ROOT
from tests.helpers.interpreters import run_python

CODE = """
import json, sys
from ifdd_mmaction.progress import track
options = json.loads(sys.argv[1])
print(list(track(iter(range(40)), 40 + options.get('done', 0), 'Working', **options)))
"""


def run(options, terminal=False):
    """Return what a process says on standard output and on standard error."""
    env = {**os.environ, 'PYTHONPATH': str(ROOT), 'TERM': 'xterm', 'COLUMNS': '80'}
    command = ['-W', 'ignore', '-c', CODE, json.dumps(options)]
    if not terminal:
        result = run_python(command, env=env)
        return result.stdout, result.stderr
    leader, follower = pty.openpty()
    with subprocess.Popen(
        [sys.executable, *command],
        env=env,
        stdout=subprocess.PIPE,
        stderr=follower,
        text=True,
    ) as process:
        os.close(follower)
        shown = b''
        while True:
            try:
                shown += os.read(leader, 4096)
            except OSError:  # the other end is closed
                break
        stdout = process.stdout.read()
    os.close(leader)
    return stdout, re.sub(r'\x1b\[[0-9;?]*[a-zA-Z]', '', shown.decode())


@pytest.mark.slow
@pytest.mark.parametrize('options, lines', [
    ({}, [f'Working: {n}/40' for n in range(4, 41, 4)]),
    ({'done': 40}, [f'Working: {n}/80' for n in range(48, 81, 8)]),
    ({'show': False}, []),
    ({'only_terminal': True}, []),
])  # fmt: skip
def test_a_log_gets_a_few_lines(options, lines):
    stdout, stderr = run(options)
    assert stdout.strip() == str(list(range(40)))
    assert stderr.splitlines() == lines


@pytest.mark.slow
def test_a_terminal_gets_a_bar():
    stdout, shown = run({}, terminal=True)
    assert stdout.strip() == str(list(range(40)))
    assert 'Working' in shown and '40/40' in shown
