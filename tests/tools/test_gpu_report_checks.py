"""What ``tools/analysis/gpu_report.py`` is made of: its rules, counts and pages."""

import json
from functools import partial

import pytest
import torch
import torch.nn.functional as F

from tests.helpers.golden import load_tool
from tests.helpers.numeric import assert_close
from tests.tools.test_gpu_report import CANDIDATES, REHEARSAL, TOOL

load_tool(TOOL)  # its folder is on the path now
import gpu.bandwidth as bandwidth  # noqa: E402
import gpu.checks as checks  # noqa: E402
import gpu.page as page  # noqa: E402
import gpu.poolings as poolings  # noqa: E402
import gpu.profile as profiling  # noqa: E402
import gpu.speed as speed  # noqa: E402
from measuring import DTYPES, Setup  # noqa: E402

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
def test_a_wrong_pooling_is_found(function, wrong):
    pool = poolings.load_function(f'{CANDIDATES}:{function}')
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
