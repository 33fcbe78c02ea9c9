"""``tools/analysis/reproduce.py``: experiments, their JSON, and the tables of pages."""

import json
import os
import signal
import time

import pytest

from tests.helpers.golden import ROOT, load_tool
from tests.helpers.processes import run_script, start_script
from tests.helpers.tools import TINY

TOOL = ROOT / 'tools' / 'analysis' / 'reproduce.py'
KEYS = {'command', 'commit', 'configs', 'date', 'environment', 'seeds'}
#: Measures in no time: WAR from its name and seed; a file makes it fail or wait.
MEASURE = """
import json, sys, time
from pathlib import Path
folder, name, seed = Path(sys.argv[1]), sys.argv[2], float(sys.argv[3])
with open('calls.txt', 'a') as calls:
    print(name, sys.argv[3], file=calls)
trap = Path(f'trap_{name}_{sys.argv[3]}')
if trap.is_file():
    if trap.read_text() == 'fail':
        sys.exit(5)
    trap.write_text('waiting')
    try:
        time.sleep(600)
    except KeyboardInterrupt:
        trap.write_text('interrupted')
        sys.exit(1)
war = (0.5 if name == 'one' else 0.75) + seed / 10 * (1 if name == 'one' else 2)
text = json.dumps(dict(scores=dict(WAR=war), path=sys.argv[-1]))
(folder / 'scores.json').write_text(text)
"""
EXPERIMENTS = """
from experiments import Column, Experiment

MEASURE = 'python measure.py {folder}'
EXPERIMENTS = {
    'pair': Experiment(
        'two rows', 'page.md', (),
        {name: f'{MEASURE} {name} {{seed}} configs/a.py' for name in ('one', 'other')},
        'scores.json',
        ('echo trained >> trained.txt',),
        {'WAR (%)': Column('scores/WAR'), 'as it is': Column('scores/WAR', 1)},
        (('other', 'one'),),
        seeds=(0, 1, 2),
    ),
    'rendered': Experiment(
        'a whole result', 'page.md', ('rendered',),
        {'all': MEASURE + ' one 0 {rendered}'},
        'scores.json',
        tables={'paths': lambda record: f'in {record["path"]}'},
    ),
}
"""
PAGE = """# Page

<!-- table: pair -->

old

<!-- end of table -->

<!-- table: rendered paths -->

old

<!-- end of table -->

<!-- table: another -->

kept

<!-- end of table -->
"""
PAIR = """|  | WAR (%) | as it is | n |
| --- | --- | --- | --- |
| one | 60.0 ± 10.0 | 0.600 ± 0.100 | 3 |
| other | 95.0 ± 20.0 | 0.950 ± 0.200 | 3 |
| other - one | +35.0 [+10.2, +59.8] | +0.350 [+0.102, +0.598] | 3 |"""


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Return a folder with two experiments and a page, which is the current one."""
    (tmp_path / 'docs' / 'results').mkdir(parents=True)
    for name, text in (
        ('measure.py', MEASURE),
        ('mine.py', EXPERIMENTS),
        ('docs/page.md', PAGE),
        ('docs/results/README.md', '<!-- table: experiments -->\n\n\n\n'),
    ):
        (tmp_path / name).write_text(text)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def reproduce(folder, *words, code=0):
    command = [TOOL, *words, '--experiments', folder / 'mine.py']
    result = run_script(command, cwd=folder, timeout=1800)
    assert result.returncode == code, result.stdout + result.stderr
    return result


def calls(folder):
    return (folder / 'calls.txt').read_text().splitlines()


def test_what_is_measured_has_its_origin_and_its_table(folder):
    said = reproduce(folder).stdout
    assert 'experiment 1 of 2: pair' in said and 'measurement 6 of 6' in said
    assert 'rendered is not run: give --rendered ROOT' in said
    record = json.loads((folder / 'docs/results/pair.json').read_text())
    assert set(record) >= KEYS and record['seeds'] == [0, 1, 2]
    assert record['command'] == 'python tools/analysis/reproduce.py pair'
    assert record['configs'] == ['configs/a.py'] and record['cpu_minutes'] >= 0
    assert record['commands'][1] == 'python measure.py {folder} one {seed} configs/a.py'
    assert record['runs'][4] == {
        'row': 'other', 'seed': 1, 'WAR (%)': 0.95, 'as it is': 0.95
    }  # fmt: skip
    page = (folder / 'docs/page.md').read_text()
    again = 'Not measured yet: `python tools/analysis/reproduce.py rendered`.'
    parts = PAGE.split('old')
    assert page == f'{parts[0]}{PAIR}{parts[1]}{again}{parts[2]}'

    # A changed number changes the table, without a measurement.
    record['runs'][0]['WAR (%)'] = 0.4
    (folder / 'docs/results/pair.json').write_text(json.dumps(record))
    reproduce(folder, '--tables')
    page = (folder / 'docs/page.md').read_text()
    assert '| one | 56.7 ± 15.3 | 0.600 ± 0.100 | 3 |' in page
    assert len(calls(folder)) == 6
    listed = reproduce(folder, '--list').stdout.splitlines()
    assert f'CPU minutes  {record["commit"]:13} two rows' in listed[0]
    assert '? CPU minutes  not measured' in listed[1]


def test_the_place_of_the_rendered_set_is_not_written(folder):
    root = folder / 'my set'
    root.mkdir()
    reproduce(folder, 'rendered', '--rendered', root)
    record = json.loads((folder / 'docs/results/rendered.json').read_text())
    assert record['path'] == 'ROOT' and str(root) not in json.dumps(record)
    assert '\n\nin ROOT\n\n' in (folder / 'docs/page.md').read_text()


#: Runs what follows as a script does in its background: interrupts are ignored.
BACKGROUND = """
import os, signal, sys
signal.signal(signal.SIGINT, signal.SIG_IGN)
os.execv(sys.executable, [sys.executable, *sys.argv[1:]])
"""


@pytest.mark.parametrize('number', [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_one_continues(folder, number):
    trap = folder / 'trap_other_1'
    trap.write_text('wait')
    command = [TOOL, 'pair', '--experiments', folder / 'mine.py']
    if number == signal.SIGTERM:
        (folder / 'background.py').write_text(BACKGROUND)
        command.insert(0, folder / 'background.py')
    process = start_script(command, folder / 'said', folder / 'said', cwd=folder)
    while trap.read_text() != 'waiting':
        assert process.exitcode is None, (folder / 'said').read_text()
        time.sleep(0.05)
    os.kill(process.pid, number)
    process.join()
    assert process.exitcode == 130 and trap.read_text() == 'interrupted'
    assert 'interrupted: the same command continues' in (folder / 'said').read_text()
    assert not (folder / 'docs/results/pair.json').exists()
    trap.unlink()
    said = reproduce(folder, 'pair').stdout
    assert 'measurement 2 of 2' in said
    assert calls(folder)[4:] == ['other 1', 'other 1', 'other 2']
    assert PAIR in (folder / 'docs/page.md').read_text()


def test_a_failure_is_named_and_the_others_are_made(folder):
    (folder / 'trap_one_0').write_text('fail')
    result = reproduce(folder, '--rendered', folder, code=1)
    assert 'pair failed (exit code 5): python measure.py' in result.stderr
    assert 'experiment 2 of 2: rendered' in result.stdout
    assert not list((folder / 'docs/results').glob('*.json'))  # the trap is for both


def test_a_changed_command_or_checkpoint_is_measured_again(folder):
    for name in ('one', 'other'):
        (folder / f'{name}.pth').touch()
    text = EXPERIMENTS.replace('configs/a.py', '{name}.pth')
    (folder / 'mine.py').write_text(text)
    reproduce(folder, 'pair')
    reproduce(folder, 'pair')
    assert len(calls(folder)) == 6
    os.utime(folder / 'one.pth', (2**33, 2**33))
    reproduce(folder, 'pair')
    assert calls(folder)[6:] == ['one 0', 'one 1', 'one 2']
    os.utime(folder / 'one.pth', (0, 0))
    (folder / 'mine.py').write_text(text.replace("{name}.pth'", "{name}.pth --x'"))
    assert 'measurement 6 of 6' in reproduce(folder, 'pair').stdout


@pytest.mark.parametrize(
    'words, said',
    [
        (['paris'], 'no experiment paris, do you mean pair?'),
        (['--rendered', 'nowhere'], 'no nowhere'),
        (['--docs', 'nowhere'], 'no nowhere'),
        (['--docs', 'docs/results'], 'no page docs/results/page.md: create it'),
    ],
)
def test_wrong_arguments_are_one_line(words, said, folder):
    result = reproduce(folder, *words, code=2)
    assert said in result.stderr.splitlines()[-1]
    assert 'Traceback' not in result.stderr


def test_the_tables_of_the_pages_are_those_of_their_json():
    experiments = load_tool('analysis/experiments.py').EXPERIMENTS
    with_tables = load_tool('analysis/reproduce_tables.py').with_tables
    results = ROOT / 'docs' / 'results'
    pages = {ROOT / 'docs' / experiment.page for experiment in experiments.values()}
    texts = {page: page.read_text() for page in {*pages, results / 'README.md'}}
    for page, text in texts.items():
        assert with_tables(text, experiments, results) == text, page
    for name, experiment in experiments.items():
        text = texts[ROOT / 'docs' / experiment.page]
        for part in experiment.tables or ['']:
            assert f'<!-- table: {f"{name} {part}".strip()} -->' in text
        path = results / f'{name}.json'
        if path.is_file():
            record = json.loads(path.read_text())
            assert set(record) >= KEYS, name
            assert 'dirty' not in record['commit'], name


@pytest.mark.slow
def test_what_is_trained_for_two_experiments_is_trained_once(folder):
    """The real tools, with a tiny model."""
    (folder / 'tools').symlink_to(ROOT / 'tools')
    (folder / 'base.py').write_text(f"# The base.\n_base_ = ['{TINY}']\n")
    (folder / 'mine.py').write_text("""
import ablate
from experiments import DRAW, Column, Experiment

SET = f'{DRAW} set --subjects 5 --size 32 --frames 8 --workers 1'
TRAIN = (
    'python tools/analysis/ablate.py base.py --seeds 0 --data-root set '
    '--work-dir runs --cfg-options train_cfg.max_epochs=1'
)
EXPERIMENTS = {
    'ablation': Experiment(
        'trained', 'page.md', (),
        {'all': f'{SET} && {TRAIN} --out {{folder}}/table'},
        'table.json',
        tables={'': ablate.to_markdown},
    ),
    'tested': Experiment(
        'tested', 'page.md', (),
        {
            'base': 'python tools/test.py base.py runs/base/seed{seed}/epoch_1.pth '
            '--work-dir {folder} --dump {folder}/scores.json --cfg-options '
            'test_dataloader.dataset.data_root=set'
        },
        'scores.json',
        (TRAIN,),
        {'WAR (%)': Column('WAR')},
        seeds=(0,),
    ),
}
""")
    page = PAGE.replace('pair', 'ablation').replace('rendered paths', 'tested')
    (folder / 'docs/page.md').write_text(page)
    reproduce(folder)
    record = json.loads((folder / 'docs/results/ablation.json').read_text())
    assert set(record) >= KEYS and record['seeds'] == [0]
    (scores,) = record['rows'][0]['runs']
    run = json.loads((folder / 'runs/base/seed0/scores.json').read_text())
    assert run['commit'] == record['commit']
    assert run['scores']['last']['WAR'] == scores['WAR']
    (tested,) = json.loads((folder / 'docs/results/tested.json').read_text())['runs']
    assert tested == {'row': 'base', 'seed': 0, 'WAR (%)': scores['WAR']}
    text = (folder / 'docs/page.md').read_text()
    assert '| `base` | The base |' in text and '| base | ' in text
    log = (folder / 'runs/base/seed0/log.txt').read_text().splitlines()
    called = [line for line in log if line.startswith('$')]
    assert ['train.py' in line for line in called] == [True, False]
