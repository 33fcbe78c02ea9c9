"""Make small faults in the package and count the tests that notice each one.

    python -m tests.mutations

Each fault is put in place in a fork of this process, which then runs tests: the files
of the package are not touched. The tests are those that use
``tests/helpers/numeric.py`` and start no processes; a fault of one part is shown to the
tests of that part alone. The table goes into the second part of
``tests/numeric_matrix.md``. It ends with 1 if a fault is noticed by no test, or a test
that loads weights does not notice a change of 1e-3 in any of five and is not among
those that cannot.
"""

from __future__ import annotations

import contextlib
import functools
import io
import json
import multiprocessing
import os
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import ifdd_mmaction.analysis
import ifdd_mmaction.models  # noqa: F401  registers everything
from tests.numeric_matrix import ROOT, numeric_files, write_part

#: A fault is put in place by calling it.
Fault = Callable[[], None]
#: Names of the tests that loaded weights.
LOADED: set[str] = set()
#: Left out: these take minutes, or start processes.
SLOW = (
    'engine/', 'transforms/test_pixels', 'apis/test_predictor', 'tools/test_figures',
    'tools/test_export', 'test_training', 'test_backbones', 'test_infer_neck',
    'tools/test_probe',
)  # fmt: skip
#: These compare a model with itself, or in bfloat16, whose roundoff is 4e-3.
BLIND = ('activation_checkpointing', 'first_made_in_inference', 'test_autocast_is_no')
WHOLE = ('models/test_variants', 'models/test_ifdd')
NECK = ('models/necks', *WHOLE)
BACKBONE = ('models/backbones', 'models/layers', *WHOLE)
#: Faults by the name that the table gives them, and the tests that are shown them.
FAULTS: dict[str, tuple[Fault, tuple[str, ...]]] = {}


def fault(name: str, where: tuple[str, ...]) -> Callable[[Fault], Fault]:
    """Register a fault."""

    def register(function: Fault) -> Fault:
        FAULTS[name] = (function, where)
        return function

    return register


def wrap(owner: Any, name: str, change: Callable[..., Any]) -> None:
    """Replace a function by ``change``, which gets it before its own arguments."""
    original = getattr(owner, name)

    @functools.wraps(original)
    def changed(*args: Any, **kwargs: Any) -> Any:
        return change(original, *args, **kwargs)

    setattr(owner, name, changed)


@contextmanager
def outputs(module: nn.Module, change: Callable[..., Any]) -> Iterator[None]:
    """Replace the outputs of a module by a function of inputs and output."""
    handle = module.register_forward_hook(lambda m, inputs, out: change(inputs, out))
    yield
    handle.remove()


# Weights.


def scaled_weight(place: float, entry: bool = False) -> Fault:
    """Return a fault that changes one weight by 1e-3 whenever weights are loaded.

    Args:
        place: Which weight, from 0, the first, to 1, the last.
        entry: Its largest number only.
    """

    def change(load: Callable[..., Any], module: nn.Module, *args: Any, **kw: Any):
        result = load(module, *args, **kw)
        weights = list(module.parameters())
        if weights:
            weight = weights[round(place * (len(weights) - 1))].data.view(-1)
            if entry:
                weight = weight[weight.abs().argmax()]
            weight.mul_(1 + 1e-3)
            LOADED.add(os.environ['PYTEST_CURRENT_TEST'].rpartition(' ')[0])
        return result

    def put() -> None:
        import mmengine.runner.checkpoint as checkpoint

        wrap(nn.Module, 'load_state_dict', change)
        wrap(checkpoint, 'load_state_dict', change)

    return put


EVERY = ('',)
WEIGHTS = {
    f'weight {round(place * 100)} % through the list, times 1.001': (
        scaled_weight(place),
        EVERY,
    )
    for place in (0, 0.25, 0.5, 0.75, 1)
}
FAULTS |= WEIGHTS
FAULTS['largest number of the weight in the middle, times 1.001'] = (
    scaled_weight(0.5, entry=True),
    EVERY,
)


# Split.


@fault('ISSM reads one frame later', NECK)
def _later() -> None:
    from ifdd_mmaction.models.necks import ISSM

    wrap(ISSM, '_to_grid', lambda grid, self, index: grid(self, index) + 1)


@fault("ISSM reads the regular grid instead of the authors'", NECK)
def _regular() -> None:
    from ifdd_mmaction.models.necks import ISSM

    wrap(ISSM, '_to_grid', lambda grid, self, index: index)


@fault('ISSM reads the nearest frame instead of interpolating', NECK)
def _nearest() -> None:
    from ifdd_mmaction.models.necks import issm

    wrap(issm, 'sample_frames', lambda read, x, where: read(x, where.round()))


@fault('ISSM: scores of both groups softmax-ed with the same sign', NECK)
def _sign() -> None:
    from ifdd_mmaction.models.necks import ISSM

    def change(shift: Any, self: Any, project: Any, correlation: Tensor) -> Tensor:
        same = correlation if project is self.offset_static else -correlation
        return shift(self, project, same)

    wrap(ISSM, '_shift', change)


@fault('top-k split: groups exchanged', NECK)
def _topk() -> None:
    from ifdd_mmaction.models.necks import TopKSplit

    wrap(TopKSplit, 'split', lambda split, self, x: split(self, x)[::-1])


@fault('weighting split: frames not weighted', NECK)
def _weighting() -> None:
    from ifdd_mmaction.models.necks import WeightingSplit

    wrap(WeightingSplit, 'split', lambda _, self, x: (x[:, :, 0::2], x[:, :, 1::2]))


# Lifting.


def without(part: str) -> Fault:
    """Return a fault that drops a module of both lifting steps."""

    def change(lift: Any, self: nn.Module, x_s: Tensor, x_d: Tensor) -> Any:
        with outputs(getattr(self, part), lambda _, out: 0 * out):
            return lift(self, x_s, x_d)

    def put() -> None:
        from ifdd_mmaction.models.necks import LADM, ConvLADM

        wrap(LADM, 'lift', change)
        wrap(ConvLADM, 'lift', change)

    return put


FAULTS['updater dropped'] = without('updater'), NECK
FAULTS['predictor dropped'] = without('predictor'), NECK


@fault('LADM: value residual dropped', NECK)
def _value() -> None:
    from ifdd_mmaction.models.necks.ladm import LiftingAttention

    def change(forward: Any, self: Any, *args: Tensor) -> Tensor:
        self.value_residual = False
        return forward(self, *args)

    wrap(LiftingAttention, 'forward', change)


@fault('LADM: residual of the self-attention dropped', NECK)
def _refine() -> None:
    from ifdd_mmaction.models.necks import LADM

    def change(refine: Any, self: Any, d: Tensor) -> Tensor:
        if not self.output_attention:
            return d
        with outputs(self.attn, lambda _, out: out - d):
            return refine(self, d)

    wrap(LADM, 'refine', change)


@fault('LADM: dynamics not normalized', NECK)
def _norm() -> None:
    from ifdd_mmaction.models.necks import LADM

    def change(lift: Any, self: Any, *groups: Tensor) -> Any:
        with outputs(self.norm_dynamic, lambda inputs, out: inputs[0]):
            return lift(self, *groups)

    wrap(LADM, 'lift', change)


@fault('tokens averaged instead of weighted', NECK)
def _compress() -> None:
    from ifdd_mmaction.models.necks.lifting import Lifting

    wrap(
        Lifting,
        'compress',
        lambda f, self, tokens: tokens.mean(1) + 0 * f(self, tokens),
    )


# Backbone and aggregation.


@fault('MViT: relative position dropped', BACKBONE)
def _position() -> None:
    from ifdd_mmaction.models.layers import relative_position

    wrap(relative_position, 'relative_rows', lambda rows, *args: 0 * rows(*args))


@fault('MViT: relative position of the next key', BACKBONE)
def _next_key() -> None:
    from ifdd_mmaction.models.layers import relative_position

    wrap(relative_position, 'relative_rows', lambda f, *args: f(*args).roll(1, 1))


@fault('MViT: residual pooling dropped', BACKBONE)
def _pooling() -> None:
    from ifdd_mmaction.models.layers.fused_mvit_block import FusedMultiScaleAttention

    def change(forward: Any, self: Any, *args: Any) -> Any:
        self.residual_pooling = False
        return forward(self, *args)

    wrap(FusedMultiScaleAttention, 'forward', change)


@fault('MViT: gradient of the pooling one frame later', BACKBONE)
def _gradient() -> None:
    from ifdd_mmaction.models.layers.depthwise import onednn

    def change(gradient: Any, grad: Tensor, *args: Any) -> Tensor:
        return gradient(grad.roll(1, 1), *args)

    wrap(onednn, 'grad_input', change)


@fault('MViT: first of the frames instead of their mean', BACKBONE)
def _frames() -> None:
    from ifdd_mmaction.models.backbones import pyramid_mvit

    def change(pool: Any, factor: int, module: Any, inputs: Any, output: Any) -> Any:
        tokens, (t, h, w) = output
        first = tokens.view(len(tokens), t // factor, factor, h * w, -1)[:, :, 0]
        return first.flatten(1, 2), (t // factor, h, w)

    wrap(pyramid_mvit, 'pool_time', change)


@fault('VideoMAE: queries times 1.001', ('models/backbones',))
def _queries() -> None:
    from torch.nn import functional

    from ifdd_mmaction.models.backbones import fused_vision_transformer

    class Functional:
        def __getattr__(self, name: str) -> Any:
            return getattr(functional, name)

        def scaled_dot_product_attention(self, q: Tensor, *args: Any, **kw: Any) -> Any:
            return functional.scaled_dot_product_attention(q * 1.001, *args, **kw)

    fused_vision_transformer.F = Functional()


def changed_stage(change: Callable[[Tensor], Tensor]) -> Fault:
    """Return a fault that changes the first stage that the aggregation gets."""

    def put() -> None:
        from ifdd_mmaction.models.necks import PyramidAggregation

        def pick(original: Any, self: Any, pyramid: Any) -> list[Tensor]:
            first, *rest = original(self, pyramid)
            return [change(first), *rest]

        wrap(PyramidAggregation, '_pick', pick)

    return put


FAULTS['stage transposed'] = changed_stage(lambda x: x.transpose(3, 4)), NECK
FAULTS['stage one pixel to the right'] = changed_stage(lambda x: x.roll(1, 4)), NECK
FAULTS['stage one frame later'] = changed_stage(lambda x: x.roll(1, 2)), NECK


@fault(
    'adaptive pooling: windows one frame or pixel on', ('models/layers/test_pooling',)
)
def _windows() -> None:
    from ifdd_mmaction.models.layers import pooling

    wrap(pooling, '_windows', lambda windows, *args: windows(*args).roll(1, 1))


# Losses, colors, analysis.


@fault('context constraint dropped', ('models/losses', *WHOLE))
def _constraint() -> None:
    from ifdd_mmaction.models.losses import disentanglement_loss

    wrap(
        disentanglement_loss, 'global_context_loss', lambda loss, *args: 0 * loss(*args)
    )


@fault('context constraint of one clip instead of the sum', ('models/losses', *WHOLE))
def _reduction() -> None:
    from ifdd_mmaction.models.losses import disentanglement_loss

    wrap(
        disentanglement_loss,
        'global_context_loss',
        lambda loss, gap, reduction='mean': loss(gap, 'mean'),
    )


@fault('fine context left out of the context gap', NECK)
def _gap() -> None:
    from ifdd_mmaction.models.necks import ifdd_neck

    wrap(ifdd_neck, 'context_gap', lambda f, x, y, relaxed=True: f(x, 0 * y, relaxed))


@fault('class weights times 1.001', ('models/losses',))
def _class_weights() -> None:
    wrap_loss('class_weighted_loss', 'class_weights', lambda f, *a: f(*a) * 1.001)


@fault('strength of the logit adjustment times 1.001', ('models/losses',))
def _adjustment() -> None:
    def change(loss: Any, scores: Any, label: Any, counts: Any, tau: float = 1) -> Any:
        return loss(scores, label, counts, tau * 1.001)

    wrap_loss('logit_adjusted_loss', 'logit_adjusted_loss', change)


def wrap_loss(module: str, name: str, change: Callable[..., Any]) -> None:
    """Replace a function where it is defined, and in the package that exports it."""
    package = 'ifdd_mmaction.models.losses'
    wrap(sys.modules[f'{package}.{module}'], name, change)
    wrap(sys.modules[package], name, change)


@fault(
    'colors changed by 1.001 of the strength',
    ('datasets/transforms/test_color_jitter',),
)
def _colors() -> None:
    from ifdd_mmaction.datasets.transforms import color_jitter

    names = ('brightness', 'contrast', 'saturation', 'hue')
    for name in names:
        wrap(color_jitter, f'adjust_{name}', lambda f, x, amount: f(x, amount * 1.001))
    color_jitter.OPERATIONS = tuple(
        getattr(color_jitter, f'adjust_{name}') for name in names
    )


@fault('blended clips times 1.001', ('test_blending',))
def _blending() -> None:
    from mmaction.models.utils import blending_utils

    def change(blend: Any, *args: Any, **kw: Any) -> Any:
        clips, labels = blend(*args, **kw)
        return clips * 1.001, labels

    for name in ('MixupBlending', 'CutmixBlending'):
        wrap(getattr(blending_utils, name), 'do_blending', change)


@fault(
    'Grad-CAM: channels weighted by the sum of one frame', ('analysis/test_grad_cam',)
)
def _cam() -> None:
    module = sys.modules['ifdd_mmaction.analysis.grad_cam']
    wrap(module, '_cam', lambda cam, feature, slope: cam(feature, slope[:, :, :1]))


# The command.


class Recorder:
    """A plugin of pytest that keeps which tests ran and which failed."""

    def __init__(self) -> None:
        self.ran: set[str] = set()
        self.failed: set[str] = set()

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        self.ran.add(report.nodeid)
        if report.failed:
            self.failed.add(report.nodeid)


def run(tests: list[str], put: Fault | None, log: Path, queue: Any) -> None:
    """Run tests with a fault, and hand out which ran, failed and loaded weights."""
    os.environ['IFDD_NUMERIC_LOG'] = str(log)
    if put:
        put()
    recorder, said = Recorder(), io.StringIO()
    options = ['-q', '--tb=no', '-m', 'not slow', '-p', 'no:cacheprovider']
    with contextlib.redirect_stdout(said):
        pytest.main([*options, *tests], plugins=[recorder])
    if not recorder.ran:
        print(said.getvalue())
    queue.put((recorder.ran, recorder.failed, LOADED))


def in_a_fork(tests: list[str], put: Fault | None, log: Path) -> Any:
    """Return what :func:`run` hands out."""
    context = multiprocessing.get_context('fork')
    queue = context.SimpleQueue()
    process = context.Process(target=run, args=(tests, put, log, queue))
    process.start()
    found = queue.get()
    process.join()
    return found


def main() -> int:
    """Make every fault, write the table; 1 if one stays unnoticed."""
    os.chdir(ROOT)
    os.environ['OMP_NUM_THREADS'] = '1'  # a fork has none of its parent's threads
    torch.set_num_threads(1)
    files = [name for name in numeric_files() if not any(s in name for s in SLOW)]
    rows, unnoticed, loading, noticing = [], [], set(), set()
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder, 'numeric.jsonl')
        _, failed, _ = in_a_fork(files, None, log)
        assert not failed, failed
        tests = {json.loads(line)[0]: None for line in log.read_text().splitlines()}
        for name, (put, where) in FAULTS.items():
            chosen = [t for t in tests if any(f'tests/{w}' in t for w in where)]
            _, failed, loaded = in_a_fork(chosen, put, log)
            if loaded:
                counts = f'{len(loaded & failed)} of {len(loaded)} that load weights'
            else:
                counts = f'{len(failed)} of {len(chosen)}'
            if name in WEIGHTS:
                loading |= loaded
                noticing |= failed
            rows.append(f'| {name} | {counts} | {examples(failed)} |')
            print(rows[-1], flush=True)
            unnoticed += [name] * (not failed)
    blind = sorted(loading - noticing)
    defects = [t for t in blind if not any(name in t for name in BLIND)]
    lines = ['| change | tests that notice | which |', '|---|---|---|', *rows, '']
    lines += [
        f'Tests that load weights: {len(loading)}; that notice at least one of the '
        f'five changed weights: {len(loading & noticing)}.'
    ]
    lines += [f'- does not: `{name}`' for name in blind]
    write_part('changes', '\n'.join(lines))
    print(*lines[-1 - len(blind) :], sep='\n')
    return int(bool(unnoticed or defects))


def examples(tests: set[str]) -> str:
    """Return the files of tests, and how many of each."""
    files = sorted(test.split('::')[0].rpartition('test_')[2][:-3] for test in tests)
    return ', '.join(f'{files.count(name)} {name}' for name in dict.fromkeys(files))


if __name__ == '__main__':
    sys.exit(main())
