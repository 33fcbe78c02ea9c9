"""Runs with tools that do in no time what train.py and test.py do in hours."""

import json
import os
import signal
import time

import pytest

from ifdd_mmaction.deprecations import SPLIT_OF_MODE
from ifdd_mmaction.engine.runs import Run, RunError, claim, execute, execute_all
from ifdd_mmaction.provenance import source_commit
from tests.helpers.processes import start_script

TRAIN = """
import os, sys, time
from pathlib import Path
folder = Path(sys.argv[sys.argv.index('--work-dir') + 1])
trap = folder / 'trap'
if trap.is_file():
    what = trap.read_text()
    trap.unlink()
    if what == 'fail':
        sys.exit(3)
    (folder / 'last_checkpoint').write_text('/elsewhere/epoch_1.pth')
    (folder / 'waiting').write_text(str(os.getpid()))
    time.sleep(60)
(folder / 'last_checkpoint').write_text('/elsewhere/epoch_12.pth')
(folder / 'epoch_12.pth').touch()
(folder / 'best_dfer_WAR_epoch_7.pth').touch()
"""
TEST = """
import json, sys
from pathlib import Path
checkpoint = Path(sys.argv[2])
assert checkpoint.is_file()
war = 0.6 if 'best' in checkpoint.name else 0.5
dump = Path(sys.argv[sys.argv.index('--dump') + 1])
dump.write_text(json.dumps(dict(WAR=war, UAR=war - 0.1, F1=0.3)))
"""


@pytest.fixture
def make(tmp_path):
    """Return a function that makes a run of the tools above."""
    tools = tmp_path / 'tools'
    tools.mkdir()
    (tools / 'train.py').write_text(TRAIN)
    (tools / 'test.py').write_text(TEST)
    config = tmp_path / 'config.py'
    config.write_text('model = dict(depth=1)\n')

    def make(name='run', trap=None, **kwargs):
        run = Run(tools=tools, config=config, folder=tmp_path / name, **kwargs)
        if trap:
            run.folder.mkdir()
            (run.folder / 'trap').write_text(trap)
        return run

    return make


def log(run):
    text = (run.folder / 'log.txt').read_text()
    return [line.split('tools/')[1] for line in text.splitlines() if line[0] == '$']


def test_a_run_trains_tests_both_checkpoints_and_is_not_run_again(make):
    run = make(fold=2, seed=5, options=['a.b=1'])
    claim([run])
    expected = dict(
        last=dict(epoch=12, WAR=0.5, UAR=0.4, F1=0.3),
        best=dict(epoch=7, WAR=0.6, UAR=0.5, F1=0.3),
    )
    assert execute(run) == expected
    train, *tests = log(run)
    # Without a checkpoint --resume starts.
    assert '--resume' in train and '--seed 5' in train
    assert [line.split()[2].rsplit('/')[-1] for line in tests] == [
        'epoch_12.pth',
        'best_dfer_WAR_epoch_7.pth',
    ]
    for line in (train, *tests):
        assert '--fold 2' in line and line.endswith('--cfg-options a.b=1')
    claim([run])
    assert execute(run) == expected and len(log(run)) == 3
    record = json.loads((run.folder / 'scores.json').read_text())
    assert record == dict(fold=2, seed=5, commit=source_commit(), scores=expected)


def test_a_failed_run_says_where_to_look_and_is_resumed(make):
    run = make(trap='fail', tests=('last',))
    claim([run])
    with pytest.raises(RunError, match=r'train.py failed \(exit code 3\), see .*log'):
        execute(run)
    assert not (run.folder / 'scores.json').exists()
    (run.folder / 'last_checkpoint').write_text('epoch_1.pth')
    assert execute(run)['last']['WAR'] == 0.5
    assert ['--resume' in line for line in log(run)] == [True, True, False]


def test_one_failed_run_does_not_stop_the_others(make):
    runs = [make('a', 'fail'), make('b'), make('c')]
    claim(runs)
    results = {run.folder.name: found for run, found in execute_all(runs, jobs=2)}
    assert isinstance(results.pop('a'), RunError)
    assert [found['best']['epoch'] for found in results.values()] == [7, 7]


def test_no_best_checkpoint_is_named(make):
    run = make()
    (run.tools / 'train.py').write_text(TRAIN.replace('best_dfer_WAR', 'best_top1'))
    claim([run])
    with pytest.raises(RunError, match="save_best='dfer/WAR'"):
        execute(run)


def test_a_run_begun_when_configs_set_the_default_seed_goes_on(make):
    run = make()
    claim([run])
    run.config.write_text(run.config.read_text() + 'randomness = dict(seed=0)\n')
    claim([run])
    run.config.write_text(run.config.read_text() + 'randomness = dict(seed=1)\n')
    with pytest.raises(RunError, match='run with other settings: config'):
        claim([run])


@pytest.mark.parametrize('mode, kind', SPLIT_OF_MODE.items())
def test_a_run_begun_when_the_split_was_a_mode_of_issm_goes_on(make, mode, kind):
    run = make()
    begun = run.config.read_text()
    neck = 'model = dict(neck=dict(split=dict({})))\n'.format
    run.config.write_text(begun + neck(f"type='ISSM', mode='{mode}'"))
    claim([run])
    run.config.write_text(begun + neck(f"type='{kind}'"))
    claim([run])
    claim([run])
    run.config.write_text(begun + neck(f"type='{kind}', init_cfg=dict()"))
    with pytest.raises(RunError, match='run with other settings: config'):
        claim([run])


def test_a_run_begun_before_configs_had_the_hook_of_pictures_goes_on(make):
    run = make()
    run.config.write_text('default_hooks = dict(timer=dict(type="IterTimerHook"))\n')
    claim([run])
    hook = 'default_hooks["visualization"] = dict(type="ClipVisualizationHook")\n'
    run.config.write_text(run.config.read_text() + hook)
    claim([run])


@pytest.mark.parametrize('change', ['seed', 'options', 'config', 'gpus', 'comment'])
def test_a_folder_belongs_to_one_run(make, change):
    claim([make(seed=1)])
    kwargs = dict(seed=1)
    if change in ('config', 'comment'):
        text = '# more\nmodel = dict(depth=1)\n'
        config = make().config
        config.write_text(text if change == 'comment' else text.replace('1', '2'))
    else:
        kwargs |= {change: dict(seed=2, options=['x=1'], gpus=2)[change]}
    runs = [make('new'), make(**kwargs)]
    if change == 'comment':
        return claim(runs)
    with pytest.raises(RunError, match=f'run with other settings: {change}'):
        claim(runs)
    assert not runs[0].folder.exists()


INTERRUPTED = """
import sys
from pathlib import Path
from ifdd_mmaction.engine.runs import Run, claim, execute_all
root = Path(sys.argv[1])
runs = [
    Run(tools=root / 'tools', config=root / 'config.py', folder=root / name)
    for name in ('run', 'next')
]
claim(runs)
try:
    list(execute_all(runs))
except KeyboardInterrupt:
    sys.exit(130)
"""


@pytest.mark.parametrize('how', [signal.SIGINT, signal.SIGTERM])
def test_an_interrupt_ends_the_run_starts_no_other_and_it_goes_on_later(
    make, tmp_path, how
):
    run = make(trap='wait')
    script, output = tmp_path / 'interrupted.py', tmp_path / 'output.txt'
    script.write_text(INTERRUPTED)
    process = start_script([script, tmp_path], output, output)
    waiting = run.folder / 'waiting'
    while not waiting.exists():
        assert process.exitcode is None, output.read_text()
        time.sleep(0.1)
    os.kill(process.pid, how)
    process.join(50)
    assert process.exitcode == 130
    with pytest.raises(ProcessLookupError):
        os.kill(int(waiting.read_text()), 0)
    assert not (tmp_path / 'next' / 'log.txt').exists()
    claim([run])
    assert execute(run)['last']['epoch'] == 12
    assert '--resume' in log(run)[1]
