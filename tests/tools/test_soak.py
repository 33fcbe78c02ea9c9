"""``tools/analysis/soak.py``: what leaks is found, what does not is flat."""

import subprocess
import sys

import numpy as np
import pytest

from tests.helpers.golden import load_tool

soak = load_tool('analysis/soak.py')

#: A process with a child; with `leak` both grow in every way that is measured.
PROGRAM = """
import os, sys, tempfile, threading, time
leak = sys.argv[1] == 'leak'
os.fork()
held, wait = [bytearray(os.urandom(1 << 20))], threading.Event()
while os.getppid() != 1:
    time.sleep(0.05)
    if leak:
        held.append(bytearray(os.urandom(2 << 20)))
        held.append(tempfile.NamedTemporaryFile(delete=False))
        thread = threading.Thread(target=wait.wait, daemon=True)
        thread.start()
"""


@pytest.mark.slow
@pytest.mark.parametrize('how', ['leak', 'flat'])
def test_what_leaks_is_found(how, tmp_path, monkeypatch):
    monkeypatch.setattr(soak, 'MIB', 1.0)
    temporary = tmp_path / 'tmp'
    temporary.mkdir()
    process = subprocess.Popen(
        [sys.executable, '-c', PROGRAM, how],
        env={'TMPDIR': str(temporary), 'PATH': ''},
    )
    try:
        series = soak.watch(process, 3, 0.1, temporary)
    finally:
        soak.stop(process)
    verdict = soak.judge(series)
    grows = {name for name, found in verdict.items() if not found['flat']}
    kinds = ('pss', 'uss', 'files', 'threads')
    every = {f'{who}_{kind}' for who in ('main', 'workers') for kind in kinds}
    assert grows == (every | {'temporary_files'} if how == 'leak' else set()), verdict
    assert verdict['main_processes']['level'] == 1
    assert verdict['workers_processes']['level'] == 1
    soak.plot(series, tmp_path / 'soak.png')
    assert (tmp_path / 'soak.png').stat().st_size > 1000


def test_growth_is_that_of_most_samples():
    seconds = np.arange(100.0)
    values = 3 + 0.5 * seconds
    values[::10] += 1000  # every tenth is measured while something else is loaded
    assert soak.growth(seconds, values) == pytest.approx(49.5)


def test_too_few_samples_are_not_judged():
    with pytest.raises(ValueError, match='3 samples are too few'):
        soak.judge(dict(seconds=[0, 1, 2], main_pss=[1, 1, 1]))


@pytest.mark.slow
def test_a_training_that_ends_by_itself_is_no_measurement(tmp_path, capsys):
    config = tmp_path / 'broken.py'
    config.write_text('raise RuntimeError("broken")\n')
    code = soak.main([str(config), str(tmp_path / 'out'), '--every', '0.2'])
    assert code == 2
    assert 'the training ended with exit code 2 before its time' in (
        capsys.readouterr().err
    )
    assert not (tmp_path / 'out/soak.json').exists()
