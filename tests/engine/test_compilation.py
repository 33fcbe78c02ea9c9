"""Compiled training: one graph a shape of block, the results of uncompiled training."""

import copy
import os
import shutil
import subprocess
import sys

import pytest
import torch
from mmaction.registry import MODELS
from mmaction.structures import ActionDataSample
from mmengine.config import Config
from mmengine.runner import runner as mmengine_runner
from torch._dynamo.utils import counters

from ifdd_mmaction.engine import compile_regions, find_regions
from ifdd_mmaction.engine.compilation import CompiledDropPath, describe
from tests.helpers.compiled_runs import resume_compiled, train_both
from tests.helpers.golden import ROOT
from tests.helpers.numeric import assert_close, depth_of
from tests.helpers.processes import fork, free_port
from tests.helpers.tiny_models import CONFIGS

#: Blocks of a first, a widening and, three times, of another shape.
ARCH = dict(embed_dims=8, num_layers=5, num_heads=1, downscale_indices=[1])
#: With stochastic depth the block that never drops a clip is a graph of its own.
SHAPES = 3


@pytest.fixture(autouse=True)
def fresh():
    torch._dynamo.reset()
    counters.clear()
    yield
    torch._dynamo.reset()


class Backend:
    """Run the graphs as they are, and keep them."""

    def __init__(self):
        self.graphs = []

    def __call__(self, graph, inputs):
        self.graphs.append(graph)
        return graph.forward


def build(drop=0.2, arch=ARCH, kind='vit'):
    """Return a tiny recognizer, the same at every call."""
    cfg = Config.fromfile(CONFIGS[kind])
    if kind == 'vit':
        cfg.model.backbone.update(arch=arch, drop_path_rate=drop)
        cfg.model.neck.lifting.drop_path = drop
    cfg.model.data_preprocessor = None
    torch.manual_seed(0)
    model = MODELS.build(cfg.model)
    model.init_weights()
    return model.train()


def batch(clips=4, seed=0, shape=(8, 32, 32)):
    generator = torch.Generator().manual_seed(seed)
    inputs = torch.rand(clips, 1, 3, *shape, generator=generator)
    samples = [ActionDataSample().set_gt_label(i % 7) for i in range(clips)]
    return dict(inputs=inputs, data_samples=samples)


def train(model, steps, dtype=torch.float32):
    """Return the losses of a few steps."""
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    losses = []
    torch.manual_seed(1)
    for step in range(steps):
        with torch.autocast('cpu', dtype, enabled=dtype != torch.float32):
            found = model(**batch(seed=step), mode='loss')
        loss, _ = model.parse_losses(found)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses


@pytest.mark.slow
@pytest.mark.parametrize('dtype', [torch.float32, torch.bfloat16])
@pytest.mark.parametrize('training', [True, False])
def test_backbone_neck_and_head_are_one_graph_each(training, dtype):
    # A block of each shape: compiling one takes a second.
    model = build(arch=ARCH | dict(num_layers=SHAPES)).train(training)
    parts, backend = (model.backbone, model.neck, model.cls_head), Backend()
    features = batch()['inputs'][:, 0]
    for number, part in enumerate(parts, start=1):
        compiled = torch.compile(part, backend=backend, fullgraph=True, dynamic=False)
        with torch.autocast('cpu', dtype, enabled=dtype != torch.float32):
            features = compiled(features)
        features = features[0] if part is model.neck else features
        assert len(backend.graphs) == number
    assert not counters['graph_break']


@pytest.mark.slow
@pytest.mark.parametrize(
    'drop, checkpointing, dtype',
    [
        (0.0, False, torch.float32),
        (0.2, False, torch.bfloat16),
        (0.2, True, torch.float32),
        (0.2, True, torch.bfloat16),
    ],
)
def test_equal_blocks_are_one_graph_and_train_as_they_are(drop, checkpointing, dtype):
    plain, compiled, backend = build(drop), build(drop), Backend()
    for model in (plain, compiled):
        if checkpointing:
            mmengine_runner.turn_on_activation_checkpointing(model, 'backbone.blocks')
    names = list(compiled.state_dict())
    regions = compile_regions(compiled, backend=backend, fullgraph=True)
    assert regions == [f'backbone.blocks.{i}' for i in range(5)] + ['neck', 'cls_head']
    # The graphs run the same kernels and draw the same numbers.
    assert train(compiled, 3, dtype) == train(plain, 3, dtype)
    assert len(backend.graphs) == SHAPES + 2
    assert not counters['graph_break']
    assert list(compiled.state_dict()) == names
    for name, weight in plain.state_dict().items():
        assert torch.equal(compiled.state_dict()[name], weight), name


@pytest.mark.slow
def test_more_shapes_than_pytorch_allows_a_function():
    model, backend = build(arch=ARCH | dict(num_layers=10)), Backend()
    # Ten blocks of ten sizes of their MLP.
    for i, block in enumerate(model.backbone.blocks):
        width = block.mlp.fc1.in_features
        block.mlp.fc1 = torch.nn.Linear(width, 8 + i)
        block.mlp.fc2 = torch.nn.Linear(8 + i, block.mlp.fc2.out_features)
    compile_regions(model, backend=backend, fullgraph=True)
    model(**batch(), mode='loss')
    assert len(backend.graphs) == 10 + 2


def test_evaluation_and_copies_run_as_they_are():
    model, backend = build(), Backend()
    compile_regions(model, backend=backend)
    inputs = batch()['inputs']
    copied = copy.deepcopy(model)
    copied(**batch(), mode='loss')
    with torch.no_grad():
        expected, _ = build().eval()(inputs)
        assert torch.equal(model.eval()(inputs)[0], expected)
    assert not backend.graphs


@pytest.mark.parametrize('target', [dict(device='meta'), dict(dtype=torch.float64)])
def test_the_probability_follows_the_model_to_its_device_alone(target):
    model = build()
    compile_regions(model, backend='eager')
    paths = [m for m in model.modules() if isinstance(m, CompiledDropPath)]
    before = [path.kept for path in paths]
    model.to(**target)
    assert paths
    for path in paths:
        assert path.kept.device == torch.device(target.get('device', 'cpu'))
        assert path.kept.dtype == torch.float32
    model.to_empty(device='cpu')
    assert [path.kept for path in paths] == before
    assert 'kept' not in ' '.join(name for name, _ in model.named_buffers())


@pytest.mark.slow
def test_a_backbone_without_blocks_is_compiled_whole():
    plain, compiled, backend = build(kind='cnn'), build(kind='cnn'), Backend()
    assert list(find_regions(compiled)) == ['backbone', 'neck', 'cls_head']
    compile_regions(compiled, backend=backend, fullgraph=True)
    assert train(compiled, 2) == train(plain, 2)
    assert len(backend.graphs) == 3


def test_what_does_not_compile_trains_as_it_is_after_one_warning(monkeypatch):
    warnings = []
    monkeypatch.setattr(
        'ifdd_mmaction.engine.compilation.print_log',
        lambda message, **_: warnings.append(message),
    )

    def broken(graph, inputs):
        raise RuntimeError('C++ compile error\nkernel.cpp:1: error: no <Python.h>\n')

    model = build()
    compile_regions(model, backend=broken)
    assert train(model, 2) == train(build(), 2)
    [warning] = warnings
    assert warning == (
        'compile: RuntimeError: kernel.cpp:1: error: no <Python.h>; training continues '
        'without it. `ifdd doctor` checks what torch.compile needs'
    )


def test_an_error_of_the_model_keeps_its_message():
    model = build()
    compile_regions(model, backend='eager')
    with pytest.raises(ValueError, match=r'set in_channels to 5'):
        model.cls_head(torch.rand(2, 5))


def test_describe_without_a_message():
    assert describe(KeyError()) == 'KeyError: unknown'


@pytest.mark.slow
def test_under_ddp(tmp_path):
    port = free_port()
    ranks = [fork(train_both, tmp_path, rank, 2, port) for rank in range(2)]
    for rank in ranks:
        rank.join(300)
    said = ''.join(path.read_text()[-3000:] for path in tmp_path.glob('log*.txt'))
    assert [rank.exitcode for rank in ranks] == [0, 0], said
    for rank in range(2):
        seen = torch.load(tmp_path / f'{rank}.pt', weights_only=True)
        # The backbone, the neck and the head.
        assert seen['graphs'] == 3
        assert not seen['breaks']
        for name, weight in seen['plain'].items():
            assert torch.equal(seen['compiled'][name], weight), name


@pytest.mark.slow
def test_resumed_it_ends_in_the_same_bits(tmp_path):
    process = fork(resume_compiled, tmp_path)
    process.join(300)
    assert process.exitcode == 0, (tmp_path / 'log.txt').read_text()[-3000:]
    straight, resumed = (
        torch.load(tmp_path / name / 'epoch_3.pth', weights_only=True)['state_dict']
        for name in ('straight', 'resumed')
    )
    assert list(resumed) == list(straight)
    assert all(torch.equal(resumed[name], straight[name]) for name in straight)


@pytest.mark.slow
@pytest.mark.skipif(shutil.which('g++') is None, reason='no C++ compiler (g++)')
# Else inductor draws by a generator of its own.
@torch._inductor.config.patch(fallback_random=True)
def test_inductor_trains_as_it_is_to_rounding():
    losses = []
    for compiled in (False, True):
        cfg = Config.fromfile(CONFIGS['vit']).model
        arch = dict(embed_dims=8, num_layers=3, num_heads=1, downscale_indices=[])
        cfg.backbone.update(arch=arch, out_scales=[0], drop_path_rate=0.2)
        cfg.neck.update(in_channels=[8], input_size=(4, 4, 4), lifting=None)
        cfg.cls_head.in_channels = 8
        cfg.data_preprocessor = None
        torch.manual_seed(0)
        model = MODELS.build(cfg).train()
        if compiled:
            compile_regions(model, fullgraph=True)
        losses.append(torch.tensor(train(model, 20)))
    assert len(set(losses[0].tolist())) == 20
    assert_close(losses[1], losses[0], 20 * depth_of(model))
    # The block that drops no clip, the other two, the neck and the head.
    assert counters['stats']['unique_graphs'] == 4
    assert not counters['graph_break']


@pytest.mark.slow
def test_without_a_compiler_training_goes_on(tmp_path):
    script = """
from mmengine.registry import init_default_scope
from tests.engine.test_compilation import build, train
from ifdd_mmaction.engine import compile_regions
init_default_scope('mmaction')
model = build()
compile_regions(model)
print(len(train(model, 2)))
"""
    env = dict(os.environ, CXX='none-such', TORCHINDUCTOR_CACHE_DIR=str(tmp_path))
    command = [sys.executable, '-c', script]
    done = subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True)
    said = done.stdout + done.stderr
    assert done.returncode == 0, said
    [line] = [line for line in said.splitlines() if 'compile: ' in line]
    assert 'No working C++ compiler found' in line
    assert '`ifdd doctor` checks what torch.compile needs' in line
    assert 'Traceback' not in said
