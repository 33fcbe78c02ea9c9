"""Every option of configs/_base_/options is truly in effect in a short training."""

import argparse
import re
import warnings
from itertools import pairwise

import pytest
import torch
from mmengine.config import Config, DictAction
from mmengine.hooks import Hook
from mmengine.optim import AmpOptimWrapper, OptimWrapper

from tests.helpers.golden import ROOT
from tests.helpers.layouts import make_dfew
from tests.helpers.numeric import assert_close, depth_of
from tests.helpers.runners import tiny_runner

pytestmark = pytest.mark.slow

FRAGMENTS = ROOT / 'configs' / '_base_' / 'options'
NAMES = sorted(path.stem for path in FRAGMENTS.glob('*.py'))
TINY = '../tests/data/tiny_dfew'
#: The rows of the page's table: name, then what the command line takes.
ROWS = re.findall(
    r'^\| `(\w+)` \| `([^`|]+)` \|',
    (ROOT / 'docs' / 'training_options.md').read_text(),
    flags=re.MULTILINE,
)


class Watch(Hook):
    """Note the losses, and the weights after each iteration."""

    priority = 'VERY_LOW'

    def __init__(self):
        self.losses, self.weights = [], []

    def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None):
        self.losses.append(outputs['loss'].item())
        state = runner.model.state_dict()
        self.weights.append({k: v.detach().clone() for k, v in state.items()})


class Run:
    """A short training, one iteration an epoch, ready to start.

    Making one sets the seed: train it before the next is made.
    """

    def __init__(self, folder, data, config, **options):
        self.runner = tiny_runner(folder, data, config, **options)
        self.model, self.watch = self.runner.model, Watch()
        self.runner.register_hook(self.watch)

    def train(self):
        self.runner.train()
        return self

    def outputs(self, kind):
        """Return a list to which the backbone's modules of a kind will add outputs."""
        outputs = []
        for module in self.model.backbone.modules():
            if isinstance(module, kind):
                module.register_forward_hook(lambda m, i, out: outputs.append(out))
        return outputs


@pytest.fixture(scope='module')
def data(tmp_path_factory):
    root = make_dfew(tmp_path_factory.mktemp('dfew'), 1, frames=8)
    return dict(type='DFEWDataset', data_root=str(root))


@pytest.fixture
def prepare(data, tmp_path, monkeypatch):
    """Return a function that makes a run with an option, or without any."""

    def make(name=None, base=TINY, **options):
        monkeypatch.setenv('IFDD_BASE', base)
        config = FRAGMENTS / f'{name}.py' if name else ROOT / f'configs/{base}.py'
        return Run(tmp_path / str(name), data, config, **options)

    return make


def scores_of(run):
    """Return a list to which the head will add its scores."""
    outputs = []
    run.model.cls_head.register_forward_hook(lambda m, i, out: outputs.append(out))
    return outputs


def assert_same_losses(found, expected):
    """The losses of two runs are equal but for the rounding of float32."""
    losses = (torch.tensor(run.watch.losses) for run in (found, expected))
    assert_close(*losses, depth_of(expected.model))


def test_mixed_precision_in_bfloat16(prepare):
    plain = prepare()
    exact = scores_of(plain)
    plain.train()
    amp = prepare('amp_bf16')
    computed, scores = amp.outputs(torch.nn.Linear), scores_of(amp)
    amp.train()
    assert {out.dtype for out in computed} == {torch.bfloat16}
    assert all(p.dtype == torch.float32 for p in amp.model.parameters())
    # Products are rounded to bfloat16, one a weight, and summed in float32.
    weights = sum(p.dim() > 1 for p in amp.model.parameters())
    assert_close(scores[0].float(), exact[0], weights, dtype=torch.bfloat16)
    assert amp.watch.losses != plain.watch.losses
    assert amp.runner.optim_wrapper.state_dict()['loss_scaler'] == {}


def test_mixed_precision_in_float16(prepare):
    amp = prepare('amp_fp16')
    if not torch.cuda.is_available():
        # That it gets there shows that float16 is asked for.
        with pytest.raises(AssertionError, match='CPU autocast, only support'):
            amp.train()
        return
    computed = amp.outputs(torch.nn.Linear)
    amp.train()
    assert {out.dtype for out in computed} == {torch.float16}
    assert amp.runner.optim_wrapper.loss_scaler.get_scale() > 1


@pytest.mark.parametrize(
    'names',
    [(), ('amp_bf16', 'ema'), ('accumulation', 'checkpointing')],
    ids=lambda names: '+'.join(names) or 'alone',
)
def test_compilation(prepare, names):
    counters = torch._dynamo.utils.counters
    torch._dynamo.reset()
    counters.clear()
    options = {'train_cfg.max_epochs': 5}
    for name, line in ROWS:
        options |= parse(line) if name in names else {}
    plain = prepare(**options).train()
    assert not counters['frames']
    # The default backend, inductor, is tested in tests/engine/test_compilation.py.
    eager = dict(_delete_=True, backend='eager', fullgraph=True)
    compiled = prepare('compile', compile=eager, **options).train()
    # Two blocks, the neck and the head, in the first iteration.
    assert counters['stats']['unique_graphs'] == 4
    assert not counters['graph_break']
    # The same kernels run on the same numbers.
    assert compiled.watch.losses == plain.watch.losses
    for found, expected in zip(
        compiled.watch.weights, plain.watch.weights, strict=True
    ):
        assert list(found) == list(expected)
        assert all(torch.equal(found[key], expected[key]) for key in expected)


def sgd(lr):
    """Options for plain descent: AdamW's first update has the gradients' signs, and
    would blow up rounding.
    """
    return {'optim_wrapper.optimizer': dict(_delete_=True, type='SGD', lr=lr)}


LAST = dict(memory_format=torch.channels_last_3d)


def stem_outputs(run):
    """Return a list to which the first convolution will add its outputs.

    On a CPU not all kernels behind it keep the layout.
    """
    outputs, stem = [], run.model.backbone.conv1.conv
    stem.register_forward_hook(lambda module, inputs, out: outputs.append(out))
    return outputs


def test_channels_last(prepare):
    base, three = 'ifdd_cnn_sample', {'train_cfg.max_epochs': 3} | sgd(0.01)
    plain = prepare(base=base, **three)
    rows = stem_outputs(plain)
    plain.train()
    last = prepare('channels_last', base, **three)
    columns = stem_outputs(last)
    last.train()
    assert [out.is_contiguous(**LAST) for out in rows] == [False] * 3
    assert [out.is_contiguous(**LAST) for out in columns] == [True] * 3
    for module in last.model.modules():
        if isinstance(module, torch.nn.Conv3d):
            assert module.weight.is_contiguous(**LAST)
    assert_same_losses(last, plain)


def test_channels_last_in_testing(prepare):
    run = prepare('channels_last', 'ifdd_cnn_sample')
    outputs = stem_outputs(run)
    run.runner.test()
    assert outputs and all(out.is_contiguous(**LAST) for out in outputs)


@pytest.mark.parametrize('name', [None, 'fused_adamw'])
def test_fused_adamw(prepare, name):
    run = prepare(name)
    with torch.profiler.profile() as profile:
        run.train()
    called = {event.key for event in profile.key_averages()}
    assert ('aten::_fused_adamw_' in called) == (name == 'fused_adamw')


@pytest.mark.parametrize('scaled', [False, True])
def test_fused_adamw_goes_on_to_the_bit(scaled, tmp_path):
    def build():
        torch.manual_seed(0)
        model = torch.nn.Linear(4, 3)
        optimizer = torch.optim.AdamW(model.parameters(), lr=0.1, fused=True)
        kind, options = OptimWrapper, {}
        if scaled:  # in bfloat16, as float16 is for a GPU alone
            kind, options = AmpOptimWrapper, dict(dtype='bfloat16', loss_scale=8.0)
        clip = dict(max_norm=0.5)
        return model, kind(optimizer=optimizer, clip_grad=clip, **options)

    def step(model, wrapper):
        with wrapper.optim_context(model):
            loss = model(torch.ones(2, 4)).float().square().sum()
        wrapper.update_params(loss)

    whole = build()
    for _ in range(2):
        step(*whole)
    torch.save([part.state_dict() for part in whole], tmp_path / 'state.pth')
    resumed = build()
    states = torch.load(tmp_path / 'state.pth', weights_only=True)
    for part, state in zip(resumed, states, strict=True):
        part.load_state_dict(state)
    for _ in range(2):
        step(*whole)
        step(*resumed)
    assert not torch.equal(whole[0].weight, build()[0].weight)
    assert torch.equal(resumed[0].weight, whole[0].weight)


def test_pinned_memory(prepare):
    plain, pinned = (prepare(name) for name in (None, 'pinned_memory'))
    loaders = [run.runner.train_loop.dataloader for run in (plain, pinned)]
    assert [loader.pin_memory for loader in loaders] == [False, True]
    copied = []

    class Clip(torch.Tensor):
        def to(self, device, non_blocking=False):
            copied.append(non_blocking)
            return self

    pinned.model.data_preprocessor.cast_data([torch.zeros(1).as_subclass(Clip)])
    assert copied == [True]


def test_activation_checkpointing(prepare):
    runs, passes = [], []
    for name in (None, 'checkpointing'):
        runs.append(prepare(name, **sgd(1.0)))
        attention = type(runs[-1].model.backbone.blocks[0].attn)
        passes.append(runs[-1].outputs(attention))
        with warnings.catch_warnings():
            warnings.filterwarnings('error', message='.*use_reentrant')
            runs[-1].train()
    assert [len(outputs) for outputs in passes] == [2, 4]
    plain, saving = (run.watch.weights[-1] for run in runs)
    for key, weight in plain.items():
        assert_close(saving[key], weight, depth_of(runs[0].model), name=key)


def test_accumulation(prepare):
    run = prepare('accumulation', **{'train_cfg.max_epochs': 8}).train()
    key = 'cls_head.fc_cls.weight'
    weights = [weights[key] for weights in run.watch.weights]
    same = [torch.equal(a, b) for a, b in pairwise(weights)]
    # The fourth and the eighth iteration update.
    assert same == [True, True, False, True, True, True, False]


def test_moving_average(prepare, tmp_path):
    run = prepare('ema', **{'train_cfg.max_epochs': 4}).train()
    key = 'cls_head.fc_cls.weight'
    weights = [weights[key].double() for weights in run.watch.weights]
    average = weights[0]
    for step, weight in enumerate(weights[1:], start=1):
        average = average + 10 / (10 + step) * (weight - average)
    saved = torch.load(tmp_path / 'ema' / 'epoch_4.pth', weights_only=True)
    # Three updates of three operations each.
    assert_close(saved['state_dict'][key], average, 9)
    # What goes on training when resumed.
    last = saved['ema_state_dict'][f'module.{key}'].double()
    assert torch.equal(last, weights[-1])
    assert (average - last).abs().max() > 1e-5


def parse(options):
    parser = argparse.ArgumentParser()
    parser.add_argument('--cfg-options', nargs='+', action=DictAction)
    return parser.parse_args(['--cfg-options', *options.split()]).cfg_options


def test_the_page_lists_every_option():
    assert sorted(name for name, _ in ROWS) == NAMES


@pytest.mark.parametrize('base', ['ifdd_vit_dfew', 'ifdd_cnn_sample'])
@pytest.mark.parametrize('name, line', ROWS)
def test_the_command_line_does_what_the_fragment_does(base, name, line, monkeypatch):
    monkeypatch.setenv('IFDD_BASE', base)
    plain = Config.fromfile(ROOT / 'configs' / f'{base}.py')
    fragment = Config.fromfile(FRAGMENTS / f'{name}.py').to_dict()
    assert fragment != plain.to_dict()
    plain.merge_from_dict(parse(line))
    assert plain.to_dict() == fragment


def test_options_work_together(prepare):
    together = ' '.join(
        line for name, line in ROWS if name not in ('amp_fp16', 'compile')
    )
    options = parse(together) | {'train_cfg.max_epochs': 4}
    run = prepare(**options)
    computed = run.outputs(torch.nn.Linear)
    run.train()
    assert {out.dtype for out in computed} == {torch.bfloat16}
    assert all(torch.tensor(run.watch.losses).isfinite())
