"""``tools/analysis/gpu_report.py``: rehearsed on a CPU, from its command line."""

import json
import os
import shutil
import signal
import subprocess
import time
from pathlib import Path

import pytest
import torch

from tests.helpers.golden import ROOT, load_tool
from tests.helpers.processes import start_script
from tests.helpers.tools import run_tool

load_tool('analysis/gpu_report.py')  # its folder is on the path now
import gpu.parts as planning  # noqa: E402
import gpu.run as running  # noqa: E402
from measuring import Setup  # noqa: E402

TOOL = 'analysis/gpu_report.py'
REHEARSAL = ('--device', 'cpu', '--small', '--minutes', '60')
CANDIDATES = ROOT / 'tests' / 'data' / 'poolings.py'


@pytest.fixture(scope='module')
def report(tmp_path_factory):
    """A whole rehearsal that was interrupted after its third part, and resumed."""
    folder = tmp_path_factory.mktemp('report')
    out, log = folder / 'out', folder / 'log'
    command = [ROOT / 'tools' / TOOL, out, *REHEARSAL]
    process = start_script(command, log, log)
    while process.is_alive() and len(done(out)) < 3:
        time.sleep(0.05)
    os.kill(process.pid, signal.SIGINT)
    process.join()
    assert process.exitcode == 130, log.read_text()
    first = done(out)
    text = (out / 'gpu_report.md').read_text()
    assert '- profile: not reached: the run ended before' in text
    assert 'checks of the model: not reached' in text
    result = run_tool(TOOL, out, *REHEARSAL, '--resume')
    assert 's left] profile ...' in result.stderr
    for name, outcome in first.items():
        assert f'] {name}' not in result.stderr  # not measured again
        assert done(out)[name] == outcome
    return out


def done(out):
    file = out / 'gpu_report.json'
    parts = json.loads(file.read_text())['parts'] if file.exists() else {}
    return {name: part for name, part in parts.items() if part['state'] == 'done'}


@pytest.mark.slow
def test_everything_is_measured_and_written(report):
    found = json.loads((report / 'gpu_report.json').read_text())
    parts = found['parts']
    assert list(parts) == found['planned'] == list(done(report))
    models = parts['models, batch 2']['rows']
    assert list(models) == ['stock', 'ours', 'checkpointed']
    for row in models.values():
        assert (
            row['step']['seconds']['median'] > row['forward']['seconds']['median'] > 0
        )
        assert 0 < row['step']['share_of_peak'] < 10
    assert models['stock']['step']['speedup']['median'] == 1
    for name in models:
        largest = parts[f'largest batch, {name}']['rows'][name]
        assert (largest['batch'], largest['limited_by']) == (4, '4, the most')
    assert parts['compiled, batch largest']['rows'][planning.COMPILED]['batch'] == 4
    compiled = parts['compiled, batch 2']['rows']
    for what in ('loss', 'gradients'):
        assert compiled[f'{planning.COMPILED}, bfloat16, {what}']['passed']
    for name in ('stock', 'ours'):
        groups = parts['profile']['rows'][name]['groups']
        named = {'depthwise', 'patch embedding', 'layer norm', 'attention', 'optimizer'}
        assert named | {'copies and casts', 'matrix products'} <= groups.keys()
        assert sum(group['share'] for group in groups.values()) == pytest.approx(
            1, abs=0.01
        )
    shapes = {label.partition(': ')[0] for label in parts['pooling by shape']['rows']}
    assert sum('1 x 4 x 4' in shape for shape in shapes) == 1 and len(shapes) == 5
    text = (report / 'gpu_report.md').read_text()
    assert text.startswith('# A rehearsal on a CPU: no figures of a GPU\n')
    assert 'correctness checks passed.' in text and 'Not measured' not in text
    assert '| models, batch 2 | checkpointed | 2 | ' in text


@pytest.mark.slow
@pytest.mark.parametrize(
    'function,said',
    [
        ('mirrored', 'float32, {SHAPE}, output: off by'),
        ('not_there', 'float32, {SHAPE}, gradient of tokens: RuntimeError: no kernel'),
        ('crashing', 'failed: its process ended with code -11'),
    ],
)
def test_a_kernel_that_fails_is_named_and_exit_code_1(report, tmp_path, function, said):
    said = said.format(SHAPE='8 x 8 x 8, 1 x 32, 3 x 3 x 3 / 1 x 1 x 1')
    out = tmp_path / 'out'
    shutil.copytree(report, out)
    known = json.loads((out / 'gpu_report.json').read_text())
    known['settings']['pooling'] = f'{CANDIDATES}:{function}'
    (out / 'gpu_report.json').write_text(json.dumps(known))
    options = (*REHEARSAL, '--resume', '--pooling', f'{CANDIDATES}:{function}')
    result = run_tool(TOOL, out, *options, check=1)
    assert f'checks of pooling, candidate: {said}' in result.stderr
    lines = [line for line in result.stderr.splitlines() if 'candidate: ' in line]
    assert 'more lines' not in ''.join(lines) and len(lines) <= 7
    text = (out / 'gpu_report.md').read_text()
    assert '**Not correct, or not shown to be**' in text and said in text
    assert '| models, batch 2 | ours | 2 | ' in text  # the others are there


@pytest.mark.slow
def test_a_budget_leaves_out_and_names(tmp_path):
    options = ('--device', 'cpu', '--small', '--minutes', '0.001')
    result = run_tool(TOOL, tmp_path, *options, check=1)
    found = json.loads((tmp_path / 'gpu_report.json').read_text())
    assert {part['state'] for part in found['parts'].values()} == {'left out'}
    text = (tmp_path / 'gpu_report.md').read_text()
    for name in found['planned']:
        reason = f'{name}: left out: needs about 1 s, 0 s were left'
        assert f'- {reason}\n' in text
    assert 'checks of the model: left out' in result.stderr


def test_parts_are_run_in_order_while_time_lasts(capsys):
    now, calls = 0.0, []

    def run(part, left):
        nonlocal now
        calls.append((part.name, left))
        now += 40
        return dict(
            state='failed' if part.name == 'b' else 'done', rows={}, reason='why'
        )

    names = dict(a=10, b=10, c=30, d=20, e=5)
    parts = [running.Part(name, None, needs, 50) for name, needs in names.items()]
    found = dict(a=dict(state='done', rows=dict(x=1)))
    saved = []
    running.go_through(
        parts, found, run, lambda: saved.append(len(found)), 1.0, clock=lambda: now
    )
    assert calls == [('b', 50), ('d', 20.0)]
    states = {name: outcome['state'] for name, outcome in found.items()}
    assert states == dict(a='done', b='failed', c='left out', d='done', e='left out')
    assert found['c']['reason'] == 'needs about 30 s, 20 s were left'
    assert found['a']['rows'] == dict(x=1)
    assert saved == [2, 3, 4, 5]
    assert '[  0 s,  60 s left] b ...' in capsys.readouterr().err


def test_the_parts_of_a_gpu_are_ordered_by_importance():
    tool = load_tool(TOOL)
    context = running.Context(
        ROOT, tool.FULL['clip'], tool.FULL['batches'], 7, Setup('cuda', 'bfloat16')
    )
    parts = planning.parts_of(context)
    names = [part.name for part in parts if not part.name.startswith('checks of pool')]
    assert names == [
        'peak', 'checks of the model', 'models, batch 32', 'compiled, batch 32',
        'profile', 'pooling by shape', 'models, batch 8', 'models, batch 1',
        'largest batch, stock', 'largest batch, ours', 'largest batch, checkpointed',
        'compiled, batch 8', 'compiled, batch 1', 'compiled, batch largest',
    ]  # fmt: skip
    assert sum(part.needs for part in parts) < 9 * 60


def half_done(context):
    yield 'row', dict(value=1)
    raise ValueError('seen 3\nmore')


def ending(context):
    yield 'row', dict(value=1)
    os._exit(7)


def with_child(context):
    child = subprocess.Popen(['sleep', '600'])
    yield 'row', dict(value=child.pid)


def run_apart(function, limit=600):
    context = running.Context(ROOT, (1, 1, 1), (1,), 1, Setup())
    return running.run_apart(running.Part('part', function, 0), context, limit)


@pytest.mark.slow
@pytest.mark.parametrize(
    'function,reason',
    [(half_done, 'ValueError: seen 3'), (ending, 'its process ended with code 7')],
)
def test_a_part_that_fails_keeps_its_rows(function, reason):
    outcome = run_apart(function)
    assert outcome.pop('seconds') > 0
    assert outcome == dict(state='failed', reason=reason, rows=dict(row=dict(value=1)))


@pytest.mark.slow
def test_what_a_part_has_started_ends_with_it():
    outcome = run_apart(with_child)
    assert outcome['state'] == 'done'
    child = outcome['rows']['row']['value']
    deadline = time.monotonic() + 60
    while running_still(child):
        assert time.monotonic() < deadline
        time.sleep(0.01)


def running_still(pid):
    try:
        status = Path(f'/proc/{pid}/status').read_text()
    except FileNotFoundError:
        return False
    return '(zombie)' not in status  # which only waits for its parent


@pytest.mark.slow
def test_a_part_is_stopped_when_its_time_is_up():
    outcome = run_apart(with_child, limit=0)
    assert outcome['state'] == 'failed' and not outcome['rows']
    assert outcome['reason'] == 'stopped: the time was up'


@pytest.mark.parametrize(
    'options,message',
    [
        (('--device', 'cpu'), 'only a rehearsal (--small) runs on a CPU'),
        (('--device', 'tpu'), '--device tpu: cuda, cuda:N or cpu'),
        ((*REHEARSAL, '--minutes', '0'), 'it must be more than 0'),
        ((*REHEARSAL, '--minutes', 'nan'), 'it must be more than 0'),
        ((*REHEARSAL, '--resume'), 'is not there: leave out --resume'),
        ((*REHEARSAL, '--pooling', 'none.py:pool'), 'no file none.py: give FILE.py:'),
        ((*REHEARSAL, '--pooling', f'{__file__}:none'), 'has no function none'),
        ((*REHEARSAL, '--dtype', 'int8'), 'invalid choice'),
    ],
)
def test_wrong_arguments_are_named(tmp_path, options, message, capsys):
    with pytest.raises(SystemExit) as stopped:
        load_tool(TOOL).main([str(tmp_path), *options])
    assert stopped.value.code == 2
    assert message in capsys.readouterr().err.replace('\n', ' ')
    assert not list(tmp_path.iterdir())


@pytest.mark.skipif(torch.cuda.is_available(), reason='this machine has a GPU')
def test_without_a_gpu_it_refuses(tmp_path, capsys):
    with pytest.raises(SystemExit) as stopped:
        load_tool(TOOL).main([str(tmp_path)])
    assert stopped.value.code == 2
    assert 'finds no GPU here; --device cpu --small is' in capsys.readouterr().err


@pytest.mark.slow
def test_a_report_is_neither_overwritten_nor_mixed(report, capsys):
    with pytest.raises(SystemExit) as stopped:
        load_tool(TOOL).main([str(report), *REHEARSAL])
    assert stopped.value.code == 2
    assert 'gpu_report.json exists: add --resume' in capsys.readouterr().err
    options = (*REHEARSAL, '--resume', '--dtype', 'float32')
    said = run_tool(TOOL, report, *options, check=2).stderr
    assert 'gpu_report.json has dtype bfloat16, this run float32' in said
