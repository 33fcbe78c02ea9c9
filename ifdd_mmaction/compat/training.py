"""Options of training that MMEngine or MMAction2 refuse, or take wrongly."""

import functools
import os
from collections.abc import Callable, Sequence
from typing import Any

import torch
from mmengine.device import get_device
from mmengine.logging import print_log
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint


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
