"""What ``tests/helpers/interpreters.py`` runs is as if a new Python ran it."""

import os
import signal

from tests.helpers.interpreters import run_python

CODE = """
import os, sys
print(sys.argv, os.getcwd(), sorted(os.environ), sys.path[:2])
print({'mmengine', 'mmcv', 'mmaction', 'ifdd_mmaction'} & set(sys.modules))
print('an error', file=sys.stderr)
sys.exit(7)
"""


def test_arguments_folder_environment_streams_and_exit_code(tmp_path):
    env = {'PYTHONPATH': str(tmp_path), 'OMP_NUM_THREADS': '1'}
    script = tmp_path / 'script.py'
    script.write_text(CODE)
    for command, name, folder in (
        (['-W', 'ignore', '-c', CODE], '-c', ''),
        ([script], str(script), str(tmp_path)),
    ):
        done = run_python([*command, 'a b', 3], tmp_path, env)
        assert done.returncode == 7 and done.stderr == 'an error\n'
        assert done.stdout.splitlines() == [
            f'{[name, "a b", "3"]} {tmp_path} {sorted(env)} {[folder, str(tmp_path)]}',
            'set()',
        ]


def test_an_error_a_signal_and_the_next_run():
    done = run_python(['-c', 'raise ValueError("seen")'])
    assert done.returncode == 1 and done.stderr.endswith('ValueError: seen\n')
    done = run_python(['-c', f'import os; os.kill(os.getpid(), {signal.SIGSEGV})'])
    assert done.returncode == -signal.SIGSEGV
    done = run_python(['-c', 'import os; print(os.environ["HOME"])'])
    assert done.stdout == os.environ['HOME'] + '\n' and done.returncode == 0
