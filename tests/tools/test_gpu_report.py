"""``tools/analysis/gpu_report.py``: rehearsed on a CPU, from its command line."""

import json
import os
import shutil
import signal
import subprocess
import time
from functools import partial
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F

from tests.helpers.golden import ROOT, load_tool
from tests.helpers.numeric import assert_close
from tests.helpers.processes import start_script
from tests.helpers.tools import run_tool

load_tool('analysis/gpu_report.py')  # its folder is on the path now
import gpu_report_bandwidth as bandwidth  # noqa: E402
import gpu_report_checks as checks  # noqa: E402
import gpu_report_page as page  # noqa: E402
import gpu_report_parts as planning  # noqa: E402
import gpu_report_poolings as poolings  # noqa: E402
import gpu_report_profile as profiling  # noqa: E402
import gpu_report_run as running  # noqa: E402
import gpu_report_speed as speed  # noqa: E402
from measuring import DTYPES, Setup  # noqa: E402

TOOL = 'analysis/gpu_report.py'
REHEARSAL = ('--device', 'cpu', '--small', '--minutes', '60')
CANDIDATES = """
import os, signal
import torch
import torch.nn.functional as F

def right(x, weight, stride):
    weight = weight.repeat(x.shape[-1] // len(weight), 1, 1, 1, 1)
    padding = [k // 2 for k in weight.shape[2:]]
    y = F.conv3d(x.movedim(-1, 1), weight, None, stride, padding, groups=len(weight))
    return y.movedim(1, -1)

def mirrored(x, weight, stride):
    return right(x, weight.flip(2), stride)

def other_border(x, weight, stride):
    return right(x, weight, stride) + 0.1 * (x[:, :1, :1, :1] - x[:, :1, :1, :1].mean())

def lost_gradient(x, weight, stride):
    return right(x.detach(), weight, stride) + 0.0 * x.sum()

def one_head(x, weight, stride):
    width, channels = x.shape[-1], len(weight)
    heads = [right(x[..., :channels], weight, stride)]
    heads += [
        right(x[..., i : i + channels], weight.detach(), stride)
        for i in range(channels, width, channels)
    ]
    return torch.cat(heads, -1)

def coarse(x, weight, stride):
    return right(x.half(), weight.half(), stride).to(x.dtype)

def not_there(x, weight, stride):
    raise RuntimeError('no kernel image\\nmore lines')

def crashing(x, weight, stride):
    os.kill(os.getpid(), signal.SIGSEGV)
"""


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
    file, out = tmp_path / 'candidates.py', tmp_path / 'out'
    file.write_text(CANDIDATES)
    shutil.copytree(report, out)
    known = json.loads((out / 'gpu_report.json').read_text())
    known['settings']['pooling'] = f'{file}:{function}'
    (out / 'gpu_report.json').write_text(json.dumps(known))
    options = (*REHEARSAL, '--resume', '--pooling', f'{file}:{function}')
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


SHAPES = (poolings.Shape((4, 6, 6), 2, 8, (3, 3, 3), (1, 2, 2)), *poolings.EDGES)


@pytest.mark.parametrize('shape', SHAPES, ids=str)
def test_the_reference_is_a_convolution(shape):
    x, weight = poolings.random_case(shape, 2, torch.float64, 'cpu')
    weight = weight.detach().double()
    found = checks.exact_pool(x, weight, shape.stride)
    expected = F.conv3d(
        x.movedim(-1, 1), weight.repeat(shape.heads, 1, 1, 1, 1), None, shape.stride,
        [k // 2 for k in shape.kernel], groups=x.shape[-1],
    ).movedim(1, -1)  # fmt: skip
    assert_close(found, expected, weight[0].numel())


@pytest.mark.parametrize('dtype', DTYPES)
@pytest.mark.parametrize('name', poolings.implementations(Setup()))
def test_every_implementation_is_correct(name, dtype):
    own = poolings.implementations(Setup())[name]
    for shape in SHAPES:
        rows = checks.check_pooling(own, shape, 2, Setup(dtype=dtype))
        assert all(row['passed'] for row in rows), (shape, rows)


@pytest.mark.parametrize(
    'function,wrong',
    [
        ('right', ()),
        ('mirrored', (0, 1, 2)),
        ('other_border', (0, 1)),
        ('lost_gradient', (1,)),
        ('one_head', (2,)),
        ('coarse', (0, 1, 2)),
    ],
)
def test_a_wrong_pooling_is_found(function, wrong, tmp_path):
    file = tmp_path / 'candidates.py'
    file.write_text(CANDIDATES)
    pool = poolings.load_function(f'{file}:{function}')
    own = poolings.Implementation(pool)
    rows = checks.check_pooling(own, SHAPES[0], 2, Setup())
    assert tuple(i for i, row in enumerate(rows) if not row['passed']) == wrong, rows


def test_what_is_no_number_is_not_passed():
    for value in (float('nan'), float('inf')):
        row = checks.compare(torch.tensor([1.0, value]), torch.ones(2).double(), 1e9)
        assert not row['passed']
        json.dumps(row, allow_nan=False)


@pytest.mark.parametrize('most', [0, 1, 2, 31, 32, 33, 100, 613, 2000])
@pytest.mark.parametrize('start', [1, 32])
def test_the_largest_that_fits_is_found(most, start):
    tried = []

    def fits(batch):
        tried.append(batch)
        return batch <= most

    found = speed.largest_that_fits(fits, start, 1024)
    assert found <= min(most, 1024) and len(tried) < 18
    assert min(most, 1024) - found <= max(0, found // 16)


MAP, KERNELS = [2, 96, 8, 8, 8], [96, 1, 3, 3, 3]


@pytest.mark.parametrize(
    'name,shapes,group',
    [
        ('aten::convolution_backward', [MAP, MAP, KERNELS], 'depthwise'),
        ('aten::conv_depthwise3d', [MAP, KERNELS], 'depthwise'),
        ('ifdd::depthwise_pool_grad_weight', [], 'depthwise'),
        ('aten::cudnn_convolution', [MAP, [96, 3, 3, 7, 7]], 'patch embedding'),
        ('aten::mkldnn_convolution', [MAP, [4, 96, 1, 1, 1]], 'other convolutions'),
        ('aten::copy_', [], 'copies and casts'),
        ('aten::native_layer_norm_backward', [], 'layer norm'),
        ('aten::_scaled_dot_product_cudnn_attention', [], 'attention'),
        ('aten::_flash_attention_backward', [], 'attention'),
        ('aten::_softmax', [], 'attention'),
        ('aten::addmm', [], 'matrix products'),
        ('aten::add_', [], 'additions and sums'),
        ('aten::sum', [], 'additions and sums'),
        ('aten::cat', [], 'concatenations'),
        ('aten::_fused_adamw_', [], 'optimizer'),
        ('triton_poi_fused_add_0', [], 'compiled kernels'),
        ('aten::mul', [], 'other'),
    ],
)  # fmt: skip
def test_operators_are_grouped(name, shapes, group):
    assert profiling.group_of(name, shapes) == group


def test_the_bytes_are_those_of_the_tensors():
    shape = poolings.Shape((4, 6, 6), 2, 8, (3, 3, 3), (1, 2, 2))
    x, weight = poolings.random_case(shape, 3, torch.bfloat16, 'cpu')
    y = poolings.stock_pool(x, weight.bfloat16(), shape.stride)
    moved = partial(
        bandwidth.moved_bytes, shape=shape, clips=3, setup=Setup(dtype='bfloat16')
    )
    assert moved('forward') == x.nbytes + y.nbytes + weight.nbytes
    assert moved('gradients') == 2 * x.nbytes + y.nbytes + 2 * weight.nbytes


def test_a_page_is_made_of_json():
    seconds = dict(median=0.2, quartile1=0.19, quartile3=0.21)
    timed = dict(seconds=seconds, clips_per_second=160.0, share_of_peak=0.123)
    step = dict(timed, speedup=dict(median=2.5, quartile1=2.4, quartile3=2.6))
    row = dict(batch=32, mib=1000.0, first_step=3.0, step=step, forward=timed)
    parts = {
        'peak': dict(state='done', rows={'matrix product': dict(flops=7.7e14)}),
        'checks of the model': dict(state='done', rows={
            'ours, float32, scores': dict(error=2e-6, limit=1e-6, passed=False),
            'ours, float32, gradients': dict(error='nan', limit=1e-6, passed=False),
        }),
        'models, batch 32': dict(state='done', rows=dict(
            stock=dict(row, mib=2000.0), ours=row,
            checkpointed=dict(batch=32, error='OutOfMemoryError: CUDA out of memory'),
        )),
        'profile': dict(state='failed', reason='stopped', rows={}),
    }  # fmt: skip
    report = dict(
        settings=dict(
            device='NVIDIA H100 80GB HBM3', small=False, clip=[16, 224, 224],
            config='ifdd_vit_dfew.py', dtype='bfloat16',
        ),
        environment=dict(device='NVIDIA H100 80GB HBM3', torch='2.11.0'),
        date='2026-11-30', planned=[*parts, 'pooling by shape'], parts=parts,
    )  # fmt: skip
    text = page.to_markdown(json.loads(json.dumps(report)))
    assert text.startswith('# GPU report: NVIDIA H100 80GB HBM3\n')
    for line in (
        'A large matrix product reaches 770 TFLOP/s.',
        '- checks of the model: ours, float32, scores: off by 2e-06, allowed are 1e-06',
        '| models, batch 32 | ours | 32 | 200 | 160 | 2.50 (2.40 to 2.60) | 12.3% | '
        '1000 (0.50) | 3.0 | 200 | 160 |  |',
        '| checkpointed | 32 | OutOfMemoryError: CUDA out of memory |',
        '| checks of the model | ours, float32 | scores | 0 of 1 | 2e-06 | 1e-06 |',
        '- profile: failed: stopped',
        '- pooling by shape: not reached: the run ended before',
        'device NVIDIA H100 80GB HBM3, torch 2.11.0.',
    ):
        assert line in text
    columns = [
        len(line.split('|')) for line in text.splitlines() if line[:8] == '| models'
    ]
    assert len(set(columns)) == 1


def wrong_pool(*args):
    pooled, size = poolings.pool_heads(*args)
    return pooled.roll(1, 1), size


@pytest.mark.slow
def test_a_model_that_computes_something_else_is_found(monkeypatch):
    block = 'ifdd_mmaction.models.layers.fused_mvit_block.pool_heads'
    context = load_tool(TOOL).read_context(
        load_tool(TOOL).parse_args(['nowhere', *REHEARSAL, '--dtype', 'float32'])
    )
    right = dict(checks.check_models(('stock', 'ours'), context))
    assert [row['passed'] for row in right.values()] == [True, True]
    monkeypatch.setattr(block, wrong_pool)
    wrong = dict(checks.check_models(('stock', 'ours'), context))
    assert list(wrong) == ['ours, float32, scores', 'ours, float32, gradients']
    assert [row['passed'] for row in wrong.values()] == [False, False]
