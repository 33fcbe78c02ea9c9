"""The one place that knows the defects of the installed stack, and mends them.

MMAction2 has not moved since October 2023 while PyTorch, NumPy and transformers have.
Each function here mends one defect, may be called any number of times, and does
nothing where the defect is absent. ``import ifdd_mmaction`` calls :func:`apply`.
"""

import atexit
import functools
import os
import re
import sys
import warnings
from collections.abc import Callable, Sequence
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder
from importlib.util import find_spec
from pathlib import Path, PurePosixPath
from types import ModuleType
from typing import Any
from urllib.parse import urlparse

import torch
import yaml
from mmengine.device import get_device
from mmengine.logging import print_log
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from .checkpoints import SAFE_GLOBALS, CheckpointError, read_checkpoint
from .errors import InputError
from .weights import find_state, load_all, load_start, off_the_names, strip_prefixes


def apply() -> None:
    """Apply every mend of what is installed, but those of ``mmaction.models``.

    Call it before anything imports ``mmaction.models``, and :func:`apply_to_models`
    after.
    """
    require_mmcv()
    hush_mmcv_lite()
    serve_missing_drn()
    disable_broken_multimodal()
    allow_checkpoint_globals()
    load_weights_only()
    load_weights_that_fit()
    load_without_workers()
    load_yaml_safely()
    init_dist_on_cpu()
    wrap_ddp_on_cpu()
    allow_amp_on_cpu()
    checkpoint_without_reentry()
    let_cublas_repeat()
    name_fsdp_arguments()


def apply_to_models() -> None:
    """Apply the mends of ``mmaction.models``, which this imports."""
    score_in_float32()


def require_mmcv() -> None:
    """Say what to install where mmcv, which nothing can depend on, is absent.

    Raises:
        ImportError: If there is no mmcv; it names both ways to get one.
    """
    spec = find_spec('mmcv')
    # A folder without __init__.py is what is left of mmcv after uninstalling
    # mmcv-lite next to it.
    if spec is None or spec.origin is None:
        raise ImportError(
            'ifdd_mmaction needs mmcv. Install either mmcv-lite with '
            '`pip install "ifdd-mmaction[lite]"` or the full mmcv (>=2.1,<2.2), not '
            'both: they share one import directory.',
            name='mmcv',
        )


def hush_mmcv_lite() -> None:
    """mmcv-lite says at every import that one operator, unused here, is not in it."""
    warnings.filterwarnings(
        'ignore', 'Fail to import ``MultiScaleDeformableAttention``', UserWarning
    )


# --- import mmaction.models -------------------------------------------------

_DRN = 'mmaction.models.localizers.drn'


class _DrnFinder(MetaPathFinder, Loader):
    """Find ``drn/drn.py`` of MMAction2 and, if that is absent or fails, stand in."""

    def find_spec(
        self,
        fullname: str,
        path: Sequence[str] | None,
        target: ModuleType | None = None,
    ) -> ModuleSpec | None:
        if fullname not in (_DRN, f'{_DRN}.drn'):
            return None
        spec = PathFinder.find_spec(fullname, path)
        if fullname == _DRN:
            return spec or ModuleSpec(fullname, self, is_package=True)
        spec = spec or ModuleSpec(fullname, None)
        self._upstream, spec.loader = spec.loader, self
        return spec

    def exec_module(self, module: ModuleType) -> None:
        if module.__name__ == _DRN:
            return
        reason: Exception = ModuleNotFoundError(f"No module named '{_DRN}'")
        if self._upstream is not None:
            # A torchvision that does not fit torch raises RuntimeError.
            try:
                return self._upstream.exec_module(module)
            except Exception as error:
                reason = error

        from mmaction.registry import MODELS

        @MODELS.register_module(force=True)
        class DRN:
            def __init__(self, *args: Any, **kwargs: Any) -> None:
                raise ImportError(
                    f'DRN is not available in the installed mmaction2: {reason}. It '
                    'needs mmaction2 from its git source, and torchvision.'
                ) from reason

        vars(module)['DRN'] = DRN


_drn_finder = _DrnFinder()


def serve_missing_drn() -> None:
    """The mmaction2 wheel imports ``localizers.drn`` but lacks it (mmaction2#2714).

    The git source has it, but needs torchvision to import it. Where the real module
    imports, it is the one that is served.
    """
    if _drn_finder not in sys.meta_path:
        # In front, to be asked also where the real module exists but fails.
        sys.meta_path.insert(0, _drn_finder)


def disable_broken_multimodal() -> None:
    """With transformers installed, mmaction2 imports models that it cannot import.

    They need timm, torchvision and names that transformers 4.56 moved. With all of
    these at hand the models stay enabled.
    """
    from mmaction.utils import dependency

    if dependency.WITH_MULTIMODAL and not _multimodal_imports():
        dependency.WITH_MULTIMODAL = False


def _multimodal_imports() -> bool:
    import mmaction

    # Looks for files and reads them: importing these packages takes seconds.
    specs = [find_spec(name) for name in ('timm', 'torchvision', 'transformers')]
    files = [Path(spec.origin) for spec in specs if spec and spec.origin]
    if len(files) < len(specs):
        return False
    bert = Path(mmaction.__path__[0]) / 'models/multimodal/vindlu/modeling_bert.py'
    statement = re.search(
        r'from transformers\.modeling_utils import \(([^)]*)\)',
        bert.read_text(encoding='utf-8'),
    )
    asked = re.findall(r'\w+', statement[1]) if statement else []
    offered = files[-1].with_name('modeling_utils.py').read_text(encoding='utf-8')
    return all(name in offered for name in asked)


# --- load checkpoints -------------------------------------------------------


def allow_checkpoint_globals() -> None:
    """MMEngine's checkpoints fail to load with ``weights_only`` (mmengine#1655).

    Allowing again what MMEngine may one day allow itself changes nothing.
    """
    torch.serialization.add_safe_globals(SAFE_GLOBALS)


def load_weights_only() -> None:
    """MMEngine lets a checkpoint run code: from URLs, and from files before torch 2.6.

    It leaves ``weights_only`` to defaults, which are False in ``torch.hub`` to this
    day and in ``torch.load`` before 2.6. Passing True changes nothing once it does.
    """
    from mmengine.runner import checkpoint

    if checkpoint.torch is not torch:
        return

    # Every loader of that module calls its global `torch.load`. Giving it a torch of
    # its own leaves the torch.load of everybody else alone.
    view = ModuleType('torch')
    vars(view).update(
        load=read_checkpoint, __getattr__=functools.partial(getattr, torch)
    )
    checkpoint.torch = view
    checkpoint.load_url = _load_url


def _load_url(
    url: str,
    model_dir: str | None = None,
    map_location: Any = None,
    progress: bool = True,
) -> Any:
    """``torch.hub.load_state_dict_from_url``, which also takes safetensors."""
    folder = Path(model_dir or Path(torch.hub.get_dir(), 'checkpoints'))
    file = folder / PurePosixPath(urlparse(url).path).name
    fetched = not file.exists()
    if fetched:
        folder.mkdir(parents=True, exist_ok=True)
        try:
            # Into a temporary file beside it, which is then renamed.
            torch.hub.download_url_to_file(url, str(file), progress=progress)
        except OSError as error:
            raise CheckpointError(f'{url} cannot be fetched: {error}') from error
    try:
        return read_checkpoint(file, map_location)
    except CheckpointError as error:
        if not fetched:
            raise
        # torch.hub takes a connection that broke for the end of the file.
        file.unlink(missing_ok=True)
        raise CheckpointError(
            f'{error}. It was fetched from {url} just now and is removed'
        ) from error


def load_weights_that_fit() -> None:
    """MMEngine's Runner tests with random weights (mmdetection#11865, #1151).

    It logs which tensors of a checkpoint do not fit, also when none does, and goes on.
    Here all have to fit in testing and resuming, and enough of them in training.
    """
    from mmengine.runner import BaseLoop, Runner
    from mmengine.runner.checkpoint import _load_checkpoint

    if Runner.load_checkpoint.__module__ == __name__:
        return

    def load_checkpoint(
        self: Runner,
        filename: str,
        map_location: str | Callable = 'cpu',
        strict: bool = False,
        revise_keys: Sequence[tuple[str, str]] = (),
    ) -> dict:
        checkpoint = _load_checkpoint(filename, map_location=map_location)
        state = find_state(checkpoint, filename)
        for pattern, replacement in revise_keys:
            state = {re.sub(pattern, replacement, k): v for k, v in state.items()}
        state, stripped = strip_prefixes(state, self.model, filename)
        if stripped:
            self.logger.warning(off_the_names(filename, stripped))
        # The hooks get it under the name that they know, also where it is bare.
        bare = 'state_dict' not in checkpoint
        checkpoint = dict(state_dict=state) if bare else checkpoint
        checkpoint['state_dict'] = state
        place = {'epoch', 'iter'} <= set(checkpoint.get('meta') or ())
        if self._resume and not (place and 'message_hub' in checkpoint):
            raise InputError(
                f'{filename} has weights and no place in a training to go on from: '
                'give it as load_from, without --resume'
            )
        self.call_hook('after_load_checkpoint', checkpoint=checkpoint)
        loops = (self._val_loop, self._test_loop)
        training = isinstance(self._train_loop, BaseLoop)
        scoring = not training and any(isinstance(loop, BaseLoop) for loop in loops)
        if strict or scoring or self._resume:
            load_all(self.model, checkpoint['state_dict'], filename)
            self.logger.info(f'all weights loaded from {filename}')
        else:
            said = load_start(self.model, checkpoint['state_dict'], filename)
            self.logger.info(f'weights to start from: {said}')
        self._has_loaded = True
        return checkpoint

    Runner.load_checkpoint = load_checkpoint


def load_without_workers() -> None:
    """PyTorch refuses what needs workers without any (mmsegmentation#2514).

    Configs have ``persistent_workers=True``, and ``num_workers=0`` is how to debug.
    """
    from mmengine.runner import FlexibleRunner, Runner

    def build_dataloader(upstream: Callable, dataloader: Any, **kwargs: Any) -> Any:
        if isinstance(dataloader, dict) and dataloader.get('num_workers') == 0:
            useless = [
                key
                for key in ('persistent_workers', 'prefetch_factor', 'timeout')
                if dataloader.get(key)
            ]
            if useless:
                dataloader = {k: v for k, v in dataloader.items() if k not in useless}
                print_log(
                    f'num_workers=0: {", ".join(useless)} left out, there is no worker',
                    logger='current',
                )
        return upstream(dataloader, **kwargs)

    for runner in (Runner, FlexibleRunner):
        upstream = runner.build_dataloader
        if not isinstance(upstream, functools.partial):
            wrapped = functools.partial(build_dataloader, upstream)
            runner.build_dataloader = staticmethod(wrapped)


def load_yaml_safely() -> None:
    """MMEngine reads YAML with a loader that builds any Python object.

    Tuples, which it writes when it dumps a config, are the only ones that are kept.
    """
    from mmengine.fileio.handlers import yaml_handler

    class Loader(yaml.SafeLoader):
        pass

    Loader.add_constructor(
        'tag:yaml.org,2002:python/tuple',
        lambda loader, node: tuple(loader.construct_sequence(node, deep=True)),
    )
    if not issubclass(yaml_handler.Loader, yaml.SafeLoader):
        yaml_handler.Loader = Loader


# --- torchrun without a GPU -------------------------------------------------


def _destroy_process_group() -> None:
    if torch.distributed.is_initialized():
        torch.distributed.destroy_process_group()


def init_dist_on_cpu() -> None:
    """MMEngine's pytorch launcher sets the CUDA device where there is none.

    Without an accelerator it also cannot use the default backend, nccl; gloo it is.
    """
    from mmengine.dist import utils

    upstream = utils._init_dist_pytorch
    if get_device() != 'cpu' or upstream.__module__ == __name__:
        return

    def init_dist(backend: str, init_backend: str = 'torch', **kwargs: Any) -> None:
        if init_backend != 'torch':
            return upstream(backend, init_backend=init_backend, **kwargs)
        backend = 'gloo' if backend == 'nccl' else backend
        torch.distributed.init_process_group(backend=backend, **kwargs)
        # Nobody destroys the group, and gloo's threads may abort a process that ends.
        atexit.register(_destroy_process_group)

    utils._init_dist_pytorch = init_dist


def wrap_ddp_on_cpu() -> None:
    """MMEngine's Runner passes GPU ``device_ids`` to DDP also for a model on the CPU.

    Inactive where there is an accelerator; leaving them out is what a fix would do.
    """
    from mmengine.model import MMDistributedDataParallel

    upstream = MMDistributedDataParallel.__init__
    if get_device() != 'cpu' or upstream.__module__ == __name__:
        return

    def __init__(self: Any, *args: Any, **kwargs: Any) -> None:
        upstream(self, *args, **{**kwargs, 'device_ids': None})

    MMDistributedDataParallel.__init__ = __init__


# --- training options -------------------------------------------------------


def allow_amp_on_cpu() -> None:
    """AmpOptimWrapper refuses a CPU, where bfloat16 works (mmpretrain#1556).

    MMEngine's own autocast takes a CPU, and refuses float16 there.
    """
    from mmengine.optim.optimizer import amp_optimizer_wrapper

    if get_device() == 'cpu':
        # Read for that refusal alone.
        amp_optimizer_wrapper.is_cuda_available = lambda: True


def checkpoint_without_reentry() -> None:
    """MMEngine leaves ``use_reentrant`` open, which PyTorch forbids (mmengine#1539).

    Some versions raise and others warn, and take re-entrant checkpointing, with which
    what lies behind a frozen layer gets no gradient. And MMEngine wraps the forward of
    a ModuleList, which nobody calls: here each of its modules is wrapped.
    """
    from mmengine.runner import activation_checkpointing, runner

    def turn_on(model: nn.Module, modules: Sequence[str] | str) -> None:
        for name in [modules] if isinstance(modules, str) else modules:
            module = model.get_submodule(name)
            parts = module if isinstance(module, nn.ModuleList) else [module]
            for part in parts:
                part.forward = functools.partial(
                    checkpoint, part.forward, use_reentrant=False
                )

    activation_checkpointing.turn_on_activation_checkpointing = turn_on
    runner.turn_on_activation_checkpointing = turn_on


def let_cublas_repeat() -> None:
    """With ``deterministic=True`` PyTorch refuses cuBLAS as MMEngine sets it up.

    It wants CUBLAS_WORKSPACE_CONFIG in the environment (mmengine#929).
    """
    from mmengine import runner

    upstream = runner.set_random_seed
    if upstream.__module__ == __name__:
        return

    def set_random_seed(
        seed: int | None = None, deterministic: bool = False, **kwargs: Any
    ) -> int:
        if deterministic:
            os.environ.setdefault('CUBLAS_WORKSPACE_CONFIG', ':4096:8')
        return upstream(seed, deterministic, **kwargs)

    runner.set_random_seed = set_random_seed
    runner.runner.set_random_seed = set_random_seed


def score_in_float32() -> None:
    """BaseHead hands bfloat16 scores to NumPy, which has no such type.

    No issue of MMAction2 tells of it. It comes with bfloat16 training, and with
    ``val_cfg.fp16`` on a CPU.
    """
    from mmaction.models.heads import BaseHead

    def widened(upstream: Callable[..., Any]) -> Callable[..., Any]:
        def by_feat(self: BaseHead, cls_scores: Tensor, *args: Any) -> Any:
            if cls_scores.dtype == torch.bfloat16:
                cls_scores = cls_scores.float()
            return upstream(self, cls_scores, *args)

        return by_feat

    for name in ('loss_by_feat', 'predict_by_feat'):
        upstream = getattr(BaseHead, name)
        if upstream.__module__ != __name__:
            setattr(BaseHead, name, widened(upstream))


# --- FSDP -------------------------------------------------------------------


def name_fsdp_arguments() -> None:
    """MMEngine's FSDPStrategy cannot resume: PyTorch 2.1 changed an argument order.

    By name the arguments of ``FSDP.optim_state_dict_to_load`` fit every version.
    """
    from mmengine._strategy.fsdp import FSDP, FSDPStrategy

    def load_optim_state_dict(self: Any, state_dict: dict) -> None:
        state = FSDP.optim_state_dict_to_load(
            optim_state_dict=state_dict,
            model=self.model,
            optim=self.optim_wrapper.optimizer,
        )
        self.optim_wrapper.load_state_dict(state)

    FSDPStrategy.load_optim_state_dict = load_optim_state_dict
