"""Every mend of ``ifdd_mmaction.compat``: the defect without it, its absence with it.

Imports are process-wide, so both halves run in processes of their own.
"""

import json
import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from importlib.machinery import ModuleSpec
from importlib.util import find_spec
from pathlib import Path
from pickle import UnpicklingError
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from mmengine.logging import HistoryBuffer, MessageHub
from mmengine.runner import load_state_dict, save_checkpoint
from mmengine.runner.checkpoint import CheckpointLoader

import ifdd_mmaction.compat as compat

PACKAGE = Path(compat.__file__).parent

# Applies the mends but those named. The package's own __init__ would apply them all,
# so compat is imported below an empty package of the same name.
APPLY = """
import sys, types
package = types.ModuleType('ifdd_mmaction')
package.__path__ = [{path!r}]
sys.modules['ifdd_mmaction'] = package
import ifdd_mmaction.compat as compat
for mend in {without!r}:
    assert callable(getattr(compat, mend))
    setattr(compat, mend, lambda: None)
compat.apply()
"""

# One training run with a config written for GPUs; its result goes to <rank>.json.
TRAIN = """
import json, os
import torch
from mmengine.model import BaseModel
from mmengine.runner import Runner


class Tiny(BaseModel):
    def __init__(self):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.zeros(()))

    def forward(self, inputs, mode='tensor'):
        return dict(loss=(self.weight * inputs.float()).mean())


runner = Runner(
    Tiny(),
    work_dir='work',
    train_dataloader=dict(
        batch_size=2,
        dataset=[dict(inputs=value) for value in (0, 1, 2, 3)],
        sampler=dict(type='DefaultSampler', shuffle=False),
        collate_fn=dict(type='default_collate'),
    ),
    train_cfg=dict(by_epoch=False, max_iters={iters}),
    optim_wrapper=dict(optimizer=dict(type='SGD', lr=1.0)),
    default_hooks=dict(
        checkpoint=dict(type='CheckpointHook', interval=1, by_epoch=False)
    ),
    launcher={launcher!r},
    env_cfg=dict(dist_cfg=dict(backend='nccl')),
    resume={iters} > 1,
)
model = runner.train()
result = dict(
    iter=runner.iter,
    losses=len(runner.message_hub.get_scalar('train/loss').data[0]),
    weight=getattr(model, 'module', model).weight.item(),
)
if {launcher!r} == 'pytorch':
    configured = runner.wrap_model(dict(broadcast_buffers=False), Tiny())
    result.update(
        wrappers=[type(model).__name__, type(configured).__name__],
        world=torch.distributed.get_world_size(),
        backend=torch.distributed.get_backend(),
    )
with open(os.environ.get('RANK', '0') + '.json', 'w') as file:
    json.dump(result, file)
"""


def run(
    script: str,
    cwd: Path,
    *,
    without: tuple[str, ...] = (),
    before: str = '',
    launch: tuple[str, ...] = (),
    **env: str,
) -> SimpleNamespace:
    """Run ``before``, the mends and ``script``, and return what came of it."""
    file = cwd / f'{"_".join(without) or "mended"}.py'
    file.write_text(
        before + APPLY.format(path=str(PACKAGE), without=list(without)) + script
    )
    done = subprocess.run(
        [sys.executable, *launch, str(file)],
        cwd=cwd,
        env={**os.environ, 'OMP_NUM_THREADS': '1', 'CUDA_VISIBLE_DEVICES': '-1', **env},
        capture_output=True,
        text=True,
        timeout=120,
    )
    error = done.stderr.strip().splitlines()
    return SimpleNamespace(
        ok=done.returncode == 0,
        out=done.stdout,
        err=done.stderr,
        last=error[-1] if error else '',
    )


def with_and_without(mend: str, *args: Any, **kwargs: Any) -> Iterator[SimpleNamespace]:
    """:func:`run` with every mend and without the named one, at the same time."""
    with ThreadPoolExecutor() as pool:
        removals: list[tuple[str, ...]] = [(), (mend,)]
        yield from pool.map(
            lambda without: run(*args, without=without, **kwargs), removals
        )


def free_port() -> str:
    with socket.socket() as server:
        server.bind(('127.0.0.1', 0))
        return str(server.getsockname()[1])


def test_importing_the_package_applies_the_mends(tmp_path: Path) -> None:
    script = """
import sys
import ifdd_mmaction.compat
import mmaction.models
from mmengine.dist import utils
from mmengine.model import MMDistributedDataParallel
from mmengine.runner import checkpoint
import torch

assert 'ifdd_mmaction.compat' in str(sys.meta_path[0])
assert checkpoint.torch is not torch
assert torch.serialization.get_safe_globals()
for mended in utils._init_dist_pytorch, MMDistributedDataParallel.__init__:
    assert mended.__module__ == 'ifdd_mmaction.compat'
"""
    subprocess.run(
        [sys.executable, '-c', script],
        cwd=tmp_path,
        env={
            **os.environ,
            'CUDA_VISIBLE_DEVICES': '-1',
            'PYTHONPATH': os.pathsep.join(
                [str(PACKAGE.parent), os.environ.get('PYTHONPATH', '')]
            ),
        },
        check=True,
        timeout=120,
    )


def test_applying_again_changes_nothing() -> None:
    from mmaction.utils import dependency
    from mmengine.dist import utils
    from mmengine.model import MMDistributedDataParallel
    from mmengine.runner import Runner, checkpoint

    def state() -> list:
        return [
            list(sys.meta_path),
            dependency.WITH_MULTIMODAL,
            set(torch.serialization.get_safe_globals()),
            checkpoint.torch,
            checkpoint.load_url,
            utils._init_dist_pytorch,
            MMDistributedDataParallel.__init__,
            Runner.load_checkpoint,
            Runner.build_dataloader,
        ]

    compat.apply()
    applied = state()
    compat.apply()
    assert state() == applied


def test_absent_mmcv_is_named_with_its_remedy(tmp_path: Path) -> None:
    absent = 'import sys; sys.modules["mmcv"] = None\n'
    mended, broken = with_and_without('require_mmcv', '', tmp_path, before=absent)
    assert not mended.ok
    assert mended.last.startswith('ImportError: ifdd_mmaction needs mmcv')
    assert 'pip install "ifdd-mmaction[lite]"' in mended.last
    assert not broken.ok
    assert 'ifdd-mmaction[lite]' not in broken.err


def test_leftover_folder_is_not_mmcv(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compat, 'find_spec', lambda name: ModuleSpec(name, None))
    with pytest.raises(ImportError, match='ifdd-mmaction'):
        compat.require_mmcv()


# --- import mmaction.models -------------------------------------------------

BUILD_DRN = """
import mmaction.models
from mmaction.registry import MODELS
try:
    print('built', MODELS.build(dict(type='DRN')))
except ImportError as error:
    print('refused', error)
"""


def test_models_import_without_drn(tmp_path: Path) -> None:
    mended, broken = with_and_without('serve_missing_drn', BUILD_DRN, tmp_path)
    assert mended.ok, mended.err

    home = Path(find_spec('mmaction').origin).parent
    if (home / 'models/localizers/drn').exists():
        pytest.skip('this mmaction2 has drn')
    assert mended.out.startswith('refused DRN is not available')
    assert not broken.ok
    assert "No module named 'mmaction.models.localizers.drn'" in broken.last


@pytest.mark.parametrize('imports', ['torch', 'torchvision_that_is_absent'])
def test_real_drn_is_preferred_if_it_imports(tmp_path: Path, imports: str) -> None:
    # A copy of mmaction2 as its git source has it: drn is there, without __init__.py.
    source = Path(find_spec('mmaction').origin).parent
    ignored = shutil.ignore_patterns('.mim', '__pycache__')
    shutil.copytree(source, tmp_path / 'mmaction', ignore=ignored)
    drn = tmp_path / 'mmaction/models/localizers/drn/drn.py'
    drn.parent.mkdir(exist_ok=True)
    drn.write_text(
        f'import {imports}\n'
        'from mmaction.registry import MODELS\n'
        'from ..utils import soft_nms\n'
        '@MODELS.register_module()\n'
        'class DRN:\n'
        '    def __repr__(self):\n'
        "        return 'the real one'\n"
    )
    mended, broken = with_and_without(
        'serve_missing_drn', BUILD_DRN, tmp_path, PYTHONPATH=str(tmp_path)
    )
    assert mended.ok, mended.err
    if imports == 'torch':
        assert mended.out == broken.out == 'built the real one\n'
    else:
        assert "No module named 'torchvision_that_is_absent'" in mended.out
        assert not broken.ok
        assert "No module named 'torchvision_that_is_absent'" in broken.last


@pytest.mark.skipif(find_spec('mmcv._ext') is not None, reason='full mmcv is installed')
def test_mmcv_lite_is_silent(tmp_path: Path) -> None:
    script = 'import mmaction.models'
    mended, broken = with_and_without('hush_mmcv_lite', script, tmp_path)
    assert mended.ok and broken.ok
    assert 'MultiScaleDeformableAttention' not in mended.err
    assert 'MultiScaleDeformableAttention' in broken.err


ANY_NAME = """
def __getattr__(name):
    if name.startswith('__'):
        raise AttributeError(name)
    return type(name, (), {'from_pretrained': classmethod(lambda cls: cls)})
"""
MOVED = 'apply_chunking_to_forward find_pruneable_heads_and_indices prune_linear_layer'


def fake_packages(folder: Path, *, moved: bool) -> None:
    """Write transformers, timm and torchvision as mmaction2's imports see them."""
    modules = ['torchvision', 'timm', 'timm/models', 'timm/models/layers']
    modules += ['transformers', 'transformers/models', 'transformers/models/beit']
    for module in modules:
        (folder / module).mkdir()
        (folder / module / '__init__.py').write_text(ANY_NAME)
    transformers = folder / 'transformers'
    for name in ('activations', 'configuration_utils', 'file_utils'):
        (transformers / f'{name}.py').write_text(ANY_NAME)
    (transformers / 'modeling_outputs.py').write_text(ANY_NAME)
    (transformers / 'models/beit/modeling_beit.py').write_text(ANY_NAME)
    names = ['PreTrainedModel'] + ([] if moved else MOVED.split())
    (transformers / 'modeling_utils.py').write_text(
        ''.join(f'class {name}: ...\n' for name in names)
    )
    metadata = folder / 'transformers-4.57.0.dist-info/METADATA'
    metadata.parent.mkdir()
    metadata.write_text('Metadata-Version: 2.1\nName: transformers\nVersion: 4.57.0\n')


@pytest.mark.parametrize(
    ('absent', 'error'),
    [
        ('timm', "No module named 'timm"),
        ('torchvision', 'import of torchvision halted'),
        ('names', "cannot import name 'apply_chunking_to_forward'"),
    ],
)
def test_models_import_beside_transformers(
    tmp_path: Path, absent: str, error: str
) -> None:
    fake_packages(tmp_path, moved=absent == 'names')
    before = f'import sys; sys.modules[{absent!r}] = None\n'
    if absent == 'torchvision':
        # The real timm imports it.
        (tmp_path / 'timm/__init__.py').write_text('import torchvision\n')
    script = """
import sys
import mmaction.models
from mmaction.utils.dependency import WITH_MULTIMODAL
print(WITH_MULTIMODAL, 'transformers.models' in sys.modules)
"""
    mended, broken = with_and_without(
        'disable_broken_multimodal',
        script,
        tmp_path,
        before=before,
        PYTHONPATH=str(tmp_path),
    )
    assert mended.ok, mended.err
    assert mended.out == 'False False\n'
    assert not broken.ok
    assert error in broken.last


def test_multimodal_that_can_import_stays(tmp_path: Path) -> None:
    fake_packages(tmp_path, moved=False)
    script = 'import mmaction.utils.dependency as it; print(it.WITH_MULTIMODAL)'
    mended = run(script, tmp_path, PYTHONPATH=str(tmp_path))
    assert mended.ok, mended.err
    assert mended.out == 'True\n'


# --- load checkpoints -------------------------------------------------------


def test_training_resumes_from_its_checkpoint(tmp_path: Path) -> None:
    first = run(TRAIN.format(iters=1, launcher='none'), tmp_path)
    assert first.ok, first.err
    mended, broken = with_and_without(
        'allow_checkpoint_globals', TRAIN.format(iters=2, launcher='none'), tmp_path
    )
    assert not broken.ok
    assert 'HistoryBuffer' in broken.err
    assert mended.ok, mended.err
    result = json.loads((tmp_path / '0.json').read_text())
    assert (result['iter'], result['losses']) == (2, 2)
    # Gradients: the mean of (0, 1), then that of (2, 3).
    assert result['weight'] == pytest.approx(-3)


def load(path: Path) -> dict:
    return CheckpointLoader.load_checkpoint(str(path), map_location='cpu')


@pytest.mark.parametrize('core', [b'core', b'_core'])
def test_checkpoints_pass_between_numpy_1_and_2(tmp_path: Path, core: bytes) -> None:
    hub = MessageHub.get_instance('test_compat')
    hub.update_scalar('train/loss', 0.5)
    hub.update_info('best', np.float32(0.25))
    hub.update_info('flags', np.array([True, False]))
    path = tmp_path / 'checkpoint.pth'
    # The legacy format is plain pickles in a row, so names in it can be exchanged.
    torch.save(
        {'message_hub': hub.state_dict(), 'weight': torch.ones(2)},
        path,
        _use_new_zipfile_serialization=False,
    )
    content = path.read_bytes().replace(b'numpy._core.', b'numpy.core.')
    assert content.count(b'numpy.core.multiarray\n') >= 2
    path.write_bytes(content.replace(b'numpy.core.', b'numpy.' + core + b'.'))

    loaded = load(path)['message_hub']
    assert loaded['log_scalars']['train/loss'].statistics('mean') == 0.5
    assert loaded['runtime_info']['best'] == np.float32(0.25)
    assert loaded['runtime_info']['flags'].tolist() == [True, False]


class Reduce:
    """Pickles as a call."""

    def __init__(self, *call: object) -> None:
        self.call = call

    def __reduce__(self) -> tuple:
        return self.call


@pytest.mark.parametrize(
    ('owner', 'name'),
    [
        (HistoryBuffer, '__init__'),
        (HistoryBuffer, '__class__'),
        (HistoryBuffer, 'register_statistics'),
        (np.ndarray, 'tofile'),
        (np.ndarray, 'min'),
        (Reduce(getattr, (HistoryBuffer, 'min')), '__globals__'),
    ],
)
def test_getattr_in_a_checkpoint_is_refused(
    tmp_path: Path, owner: object, name: str
) -> None:
    path = tmp_path / 'crafted.pth'
    torch.save({'state_dict': Reduce(getattr, (owner, name))}, path)
    with pytest.raises(UnpicklingError, match=f"may not take '{name}'"):
        load(path)


def test_getattr_does_not_lead_to_a_call(tmp_path: Path) -> None:
    path = tmp_path / 'crafted.pth'
    getter = Reduce(getattr, (HistoryBuffer, 'mean'))
    torch.save({'state_dict': getter}, path)
    assert load(path)['state_dict'] is HistoryBuffer.mean


def test_weights_still_load_and_save(tmp_path: Path) -> None:
    model = torch.nn.Linear(2, 3)
    path = tmp_path / 'weights.pth'
    save_checkpoint({'state_dict': model.state_dict()}, str(path))
    other = torch.nn.Linear(2, 3)
    load_state_dict(other, load(path)['state_dict'], strict=True)
    assert torch.equal(other.weight, model.weight)


def test_checkpoints_run_no_code(tmp_path: Path) -> None:
    # A cached download spares the network.
    cache = tmp_path / 'hub/checkpoints'
    cache.mkdir(parents=True)
    for path in (tmp_path / 'file.pth', cache / 'url.pth'):
        marker = str(tmp_path / f'{path.stem}.marker')
        code = f'open({marker!r}, "w").close()'
        torch.save({'state_dict': Reduce(exec, (code,))}, path)
    # Stands in for a torch before 2.6, where the default is the same.
    env = {'TORCH_HOME': str(tmp_path), 'TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD': '1'}
    script = """
from pickle import UnpicklingError
from mmengine.runner.checkpoint import CheckpointLoader
for path in 'file.pth', 'http://checkpoints.invalid/url.pth':
    try:
        CheckpointLoader.load_checkpoint(path, 'cpu')
    except UnpicklingError as error:
        print('refused')
"""
    mended = run(script, tmp_path, **env)
    assert mended.ok, mended.err
    assert mended.out.count('refused') == 2
    assert not list(tmp_path.glob('*.marker'))

    broken = run(script, tmp_path, without=('load_weights_only',), **env)
    assert 'refused' not in broken.out
    assert sorted(path.stem for path in tmp_path.glob('*.marker')) == ['file', 'url']


# One test of a model whose checkpoint, a.pth, has a tensor of another name.
TEST = """
import torch
from mmengine.evaluator import BaseMetric
from mmengine.model import BaseModel
from mmengine.runner import Runner


class Tiny(BaseModel):
    def __init__(self):
        super().__init__()
        self.layer = torch.nn.Linear(1, 1)

    def forward(self, inputs, mode='tensor'):
        return [self.layer(inputs[:, None].float())]


class Count(BaseMetric):
    def process(self, data_batch, data_samples):
        self.results.append(1)

    def compute_metrics(self, results):
        return dict(count=len(results))


torch.save(dict(state_dict={'other.weight': torch.zeros(1, 1)}), 'a.pth')
loader = dict(
    batch_size=2,
    num_workers=0,
    persistent_workers=%s,
    dataset=[dict(inputs=value) for value in (0, 1, 2, 3)],
    sampler=dict(type='DefaultSampler', shuffle=False),
    collate_fn=dict(type='default_collate'),
)
runner = Runner(
    Tiny(),
    work_dir='work',
    test_dataloader=loader,
    test_cfg=dict(),
    test_evaluator=Count(),
    load_from=%r,
)
print(runner.test())
"""


def test_weights_that_do_not_fit_are_not_scored(tmp_path: Path) -> None:
    script = TEST % (False, 'a.pth')
    mended, broken = with_and_without('load_weights_that_fit', script, tmp_path)
    assert broken.ok and "{'count': 2}" in broken.out
    assert not mended.ok and 'InputError: a.pth is not of the model' in mended.err
    assert 'lacks 2 of 2 tensors, layer.weight, layer.bias' in mended.last


def test_no_workers_need_no_other_change(tmp_path: Path) -> None:
    script = TEST % (True, None)
    mended, broken = with_and_without('load_without_workers', script, tmp_path)
    assert mended.ok and "{'count': 2}" in mended.out
    assert 'num_workers=0: persistent_workers left out' in mended.out + mended.err
    assert 'persistent_workers option needs num_workers > 0' in broken.last


# --- torchrun without a GPU -------------------------------------------------


@pytest.mark.slow
def test_two_processes_train_on_the_cpu(tmp_path: Path) -> None:
    mended = run(
        TRAIN.format(iters=1, launcher='pytorch'),
        tmp_path,
        launch=('-m', 'torch.distributed.run', '--nproc_per_node', '2')
        + ('--master_port', free_port()),
    )
    assert mended.ok, mended.err
    for rank in range(2):
        assert json.loads((tmp_path / f'{rank}.json').read_text()) == {
            'iter': 1,
            'losses': 1,
            # The mean gradient of rank 0, with (0, 2), and of rank 1, with (1, 3).
            'weight': -1.5,
            'wrappers': ['MMDistributedDataParallel'] * 2,
            'world': 2,
            'backend': 'gloo',
        }


@pytest.mark.parametrize(
    ('mend', 'errors'),
    [
        # Of a torch built for the CPU, and of one built for CUDA, without a GPU.
        ('init_dist_on_cpu', ('_cuda_setDevice', 'NVIDIA driver', 'No CUDA GPUs')),
        ('wrap_ddp_on_cpu', ('device_ids',)),
    ],
)
def test_distributed_training_on_the_cpu_needs(
    tmp_path: Path, mend: str, errors: tuple[str, ...]
) -> None:
    env = dict(RANK='0', LOCAL_RANK='0', WORLD_SIZE='1', MASTER_ADDR='127.0.0.1')
    script = TRAIN.format(iters=1, launcher='pytorch')
    broken = run(script, tmp_path, without=(mend,), MASTER_PORT=free_port(), **env)
    assert not broken.ok
    assert any(error in broken.err for error in errors), broken.err


def test_accelerators_keep_the_launcher_of_mmengine(tmp_path: Path) -> None:
    script = """
from mmengine.dist import utils
from mmengine.model import MMDistributedDataParallel
for function in utils._init_dist_pytorch, MMDistributedDataParallel.__init__:
    print(function.__module__)
"""
    before = 'import mmengine.device.utils as it; it.DEVICE = "cuda"\n'
    mended = run(script, tmp_path, before=before)
    assert mended.ok, mended.err
    assert mended.out.split() == [
        'mmengine.dist.utils',
        'mmengine.model.wrappers.distributed',
    ]


def test_cublas_repeats_what_it_did(tmp_path: Path) -> None:
    script = """
import os
from mmengine.runner import Runner
runner = object.__new__(Runner)
runner._deterministic = None
for deterministic in False, True:
    runner.set_randomness(seed=3, deterministic=deterministic)
    print(os.environ.get('CUBLAS_WORKSPACE_CONFIG'))
"""
    name = 'CUBLAS_WORKSPACE_CONFIG'
    assert name not in os.environ
    mended = run(script, tmp_path)
    assert mended.out.split() == ['None', ':4096:8'], mended.err
    chosen = run(script, tmp_path, **{name: ':16:8'})
    assert chosen.out.split() == [':16:8', ':16:8'], chosen.err
    broken = run(script, tmp_path, without=('let_cublas_repeat',))
    assert broken.out.split() == ['None', 'None'], broken.err


# --- training options -------------------------------------------------------

OPTIONS = """
import warnings
import torch
from mmengine.optim import AmpOptimWrapper
from mmengine.runner import runner
from torch import nn

compat.apply_to_models()
from mmaction.models import I3DHead
from mmaction.structures import ActionDataSample


def amp():
    optimizer = torch.optim.SGD([nn.Parameter(torch.zeros(1))], lr=1.0)
    return AmpOptimWrapper(dtype='bfloat16', optimizer=optimizer).cast_dtype


def head(method):
    samples = [ActionDataSample().set_gt_label(label) for label in (0, 1)]
    scores = torch.rand(2, 7, dtype=torch.bfloat16)
    return getattr(I3DHead(7, 4, topk=1), method)(scores, samples)


def checkpointing():
    model = nn.Module()
    model.blocks = nn.ModuleList([nn.Linear(2, 2)])
    model.last = nn.Linear(2, 2)
    passes = []
    forward = model.blocks[0].forward
    model.blocks[0].forward = lambda x: passes.append(x) or forward(x)
    runner.turn_on_activation_checkpointing(model, ['blocks', 'last'])
    # As behind a frozen layer, the input of the last one has no gradient.
    model.last(model.blocks[0](torch.rand(1, 2)).detach()).sum().backward()
    gradient = model.last.weight.grad is not None
    model.blocks[0](torch.rand(1, 2)).tanh().sum().backward()
    return len(passes), gradient


for part in (
    amp,
    lambda: head('loss_by_feat')['loss_cls'].dtype,
    lambda: head('predict_by_feat')[0].pred_score.numpy().dtype,
    checkpointing,
):
    try:
        print(part())
    except Exception as error:
        print(type(error).__name__, str(error).splitlines()[0][:60])
"""


def test_training_options_need(tmp_path: Path) -> None:
    mends = ('allow_amp_on_cpu', 'score_in_float32', 'checkpoint_without_reentry')
    with ThreadPoolExecutor() as pool:
        mended, broken = pool.map(
            lambda without: run(OPTIONS, tmp_path, without=without), [(), mends]
        )
    assert mended.out.splitlines() == [
        'torch.bfloat16',
        'torch.float32',
        'float32',
        '(3, True)',
    ]
    amp, loss, predict, checkpointing = broken.out.splitlines()
    assert amp.startswith('AssertionError ``AmpOptimizerWrapper`` is only available')
    assert loss == predict == 'TypeError Got unsupported ScalarType BFloat16'
    # PyTorch refuses, or finds nothing that wants a gradient.
    assert 'True' not in checkpointing
