"""Corrections of training options that MMEngine or MMAction2 reject or misuse."""

import functools
import logging
import os
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from typing import Any

import torch
from mmengine.device import get_device
from mmengine.logging import print_log
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from ..processor import bf16_instructions


def load_without_workers() -> None:
    """Remove the options of workers if ``num_workers=0`` (mmsegmentation#2514).

    Configs set ``persistent_workers=True``, with which PyTorch raises an error if
    ``num_workers=0`` is set for debugging.
    """
    from mmengine.runner import FlexibleRunner, Runner

    def build_dataloader(upstream: Callable, dataloader: Any, **kwargs: Any) -> Any:
        if isinstance(dataloader, dict) and dataloader.get('num_workers') == 0:
            removed = [
                key
                for key in ('persistent_workers', 'prefetch_factor', 'timeout')
                if dataloader.get(key)
            ]
            if removed:
                dataloader = {k: v for k, v in dataloader.items() if k not in removed}
                print_log(
                    f'num_workers=0: {", ".join(removed)} ignored without workers',
                    logger='current',
                )
        return upstream(dataloader, **kwargs)

    for runner in (Runner, FlexibleRunner):
        upstream = runner.build_dataloader
        if not isinstance(upstream, functools.partial):
            wrapped = functools.partial(build_dataloader, upstream)
            runner.build_dataloader = staticmethod(wrapped)


def allow_amp_on_cpu() -> None:
    """Let AmpOptimWrapper run on a CPU, where bfloat16 works (mmpretrain#1556).

    MMEngine's own autocast supports the CPU, and rejects float16 there. Where bfloat16
    does not pay, it says so here, in training and in testing.
    """
    from mmengine import runner
    from mmengine.optim.optimizer import amp_optimizer_wrapper

    upstream = runner.amp.autocast
    if get_device() != 'cpu' or upstream.__module__ == __name__:
        return
    # Read only for that check.
    amp_optimizer_wrapper.is_cuda_available = lambda: True

    def autocast(
        device_type: str | None = None,
        dtype: torch.dtype | None = None,
        enabled: bool = True,
        cache_enabled: bool | None = None,
    ) -> AbstractContextManager[None]:
        if enabled and dtype in (None, torch.bfloat16):
            _report_slow_bf16()
        return upstream(device_type, dtype, enabled, cache_enabled)

    for module in (runner, runner.amp, runner.loops):
        module.autocast = autocast


@functools.cache
def _report_slow_bf16() -> None:
    if not bf16_instructions():
        print_log(
            'mixed precision does not pay on this processor: it has no instructions '
            'that multiply bfloat16 (avx512_bf16, AMX) and is faster in float32; see '
            'docs/training_options.md, "Which dtype on which processor"',
            logger='current',
            level=logging.WARNING,
        )


def use_non_reentrant_checkpoint() -> None:
    """Use non-reentrant activation checkpointing (mmengine#1539).

    MMEngine does not set ``use_reentrant``: some versions of PyTorch raise an error,
    others warn and use reentrant checkpointing, in which layers after a frozen layer
    get no gradient. MMEngine also wraps the forward of a ModuleList, which is never
    called: here each of its modules is wrapped.
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


def set_cublas_workspace() -> None:
    """Set CUBLAS_WORKSPACE_CONFIG if ``deterministic=True`` (mmengine#929).

    MMEngine does not set it, and without it cuBLAS raises an error in PyTorch.
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
    """Convert bfloat16 scores to float32: BaseHead converts them to NumPy arrays.

    NumPy has no bfloat16. MMAction2 has no issue about it. It happens in bfloat16
    training, and with ``val_cfg.fp16`` on a CPU.
    """
    from mmaction.models.heads import BaseHead

    def in_float32(upstream: Callable[..., Any]) -> Callable[..., Any]:
        def by_feat(self: BaseHead, cls_scores: Tensor, *args: Any) -> Any:
            if cls_scores.dtype == torch.bfloat16:
                cls_scores = cls_scores.float()
            return upstream(self, cls_scores, *args)

        return by_feat

    for name in ('loss_by_feat', 'predict_by_feat'):
        upstream = getattr(BaseHead, name)
        if upstream.__module__ != __name__:
            setattr(BaseHead, name, in_float32(upstream))
