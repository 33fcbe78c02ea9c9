"""Compile a recognizer for training, block by block."""

from __future__ import annotations

import functools
import logging
from collections.abc import Callable
from typing import Any

import torch
from mmcv.cnn.bricks import DropPath
from mmengine.logging import print_log
from mmengine.model import is_model_wrapper
from mmengine.utils import digit_version
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

#: What is compiled whole; of the backbone its blocks, where it has any.
PARTS = ('neck', 'cls_head')


class CompiledDropPath(DropPath):
    """mmcv's stochastic depth, whose probability is an input of the graph.

    As a number it would be a constant of the graph, so that blocks that are equal but
    for it would be compiled one by one. It draws what mmcv's draws.
    """

    # No buffer: MMEngine's averaged model pairs the buffers of two models by position.
    kept: Tensor

    def keep(self, device: torch.device) -> None:
        """Make the input that the graph reads, on the device of the clips."""
        self.kept = torch.tensor(1 - float(self.drop_prob), device=device)

    def _apply(
        self, fn: Callable[[Tensor], Tensor], recurse: bool = True
    ) -> CompiledDropPath:
        super()._apply(fn, recurse)
        # In another dtype the probability would be another: the device alone follows.
        self.keep(fn(self.kept).device)
        return self

    def forward(self, x: Tensor) -> Tensor:
        """Drop some clips of ``(N, ...)`` in training."""
        if not self.training:
            return x
        shape = (len(x), *[1] * (x.dim() - 1))
        drawn = torch.rand(shape, dtype=x.dtype, device=x.device)
        return x.div(self.kept) * (self.kept + drawn).floor()


def find_regions(model: nn.Module) -> dict[str, nn.Module]:
    """Return the modules of a recognizer that are compiled, by name.

    These are the blocks of its backbone (``backbone.blocks``, else the backbone), its
    neck and its head.

    Example:
        >>> from ifdd_mmaction.engine import find_regions
        >>> backbone = torch.nn.Module()
        >>> backbone.blocks = torch.nn.ModuleList([torch.nn.ReLU(), torch.nn.ReLU()])
        >>> model = torch.nn.ModuleDict(dict(backbone=backbone, neck=torch.nn.GELU()))
        >>> list(find_regions(model))
        ['backbone.blocks.0', 'backbone.blocks.1', 'neck']
    """
    regions = {}
    backbone = getattr(model, 'backbone', None)
    blocks = getattr(backbone, 'blocks', None)
    if isinstance(blocks, nn.ModuleList):
        regions = {f'backbone.blocks.{i}': block for i, block in enumerate(blocks)}
    elif isinstance(backbone, nn.Module):
        regions = dict(backbone=backbone)
    for name in PARTS:
        if isinstance(part := getattr(model, name, None), nn.Module):
            regions[name] = part
    return regions


def compile_regions(model: nn.Module, **options: Any) -> list[str]:
    """Compile the blocks, the neck and the head of a recognizer for training.

    Blocks of one shape share one graph. In evaluation they run as they are, since a
    compilation takes longer than it would save there. Parameters, their names and
    copies of the model are unchanged. What cannot be compiled runs as it is, after one
    warning.

    Args:
        model: A recognizer, on its device; also within a wrapper such as DDP.
        options: Of ``torch.compile``; ``dynamic=False`` by default, so that a batch of
            another size is compiled anew.

    Returns:
        The names of the modules that are compiled.

    Example:
        >>> from ifdd_mmaction.engine import compile_regions
        >>> model = torch.nn.ModuleDict(dict(cls_head=torch.nn.Linear(2, 1)))
        >>> compile_regions(model, backend='eager')
        ['cls_head']
        >>> list(model.state_dict())
        ['cls_head.weight', 'cls_head.bias']
    """
    from torch._dynamo import config

    while is_model_wrapper(model):
        model = model.module  # type: ignore[assignment]
    regions = find_regions(model)
    # PyTorch limits the graphs of a function, here of the blocks' forward, to 8.
    config.cache_size_limit = max(config.cache_size_limit, 4 * len(regions))
    if digit_version(torch.__version__) < digit_version('2.5'):
        config.inline_inbuilt_nn_modules = True  # parameters are inputs of a graph
    options.setdefault('dynamic', False)
    failures: list[Exception] = []
    for region in regions.values():
        paths: list[Any] = [m for m in region.modules() if type(m) is DropPath]
        for path in paths:
            if path.drop_prob > 0:
                path.__class__ = CompiledDropPath
                path.keep(next(model.parameters()).device)
        # Activation checkpointing is around the graph, not in it, where MMEngine's way
        # to switch it on, a new forward of each block, would hide the block.
        outer: Any = region.__dict__.get('forward')
        checkpointed = getattr(outer, 'func', None) is checkpoint
        if checkpointed:
            del region.forward
        call = _in_training(region, failures, options)
        if checkpointed:
            call = functools.partial(checkpoint, call, **outer.keywords)
        region._compiled_call_impl = call
    return list(regions)


def _in_training(
    region: nn.Module, failures: list[Exception], options: dict[str, Any]
) -> Callable[..., Any]:
    """Return a call of a module that is compiled in training, until one fails."""
    from torch._dynamo.exc import TorchDynamoException

    as_it_is = region._call_impl
    compiled = torch.compile(as_it_is, **options)

    def call(*args: Any, **kwargs: Any) -> Any:
        if failures or not region.training:
            return as_it_is(*args, **kwargs)
        try:
            return compiled(*args, **kwargs)
        except TorchDynamoException as error:
            failures.append(error)
            print_log(
                f'compile: {describe(error)}; training continues without it. '
                '`ifdd doctor` checks what torch.compile needs',
                logger='current',
                level=logging.WARNING,
            )
        return as_it_is(*args, **kwargs)

    return call


def describe(error: BaseException) -> str:
    """Return the cause of an error of ``torch.compile`` in one line.

    Example:
        >>> from ifdd_mmaction.engine.compilation import describe
        >>> describe(RuntimeError('compiler failed\\nkernel.cpp:1: error: no header'))
        'RuntimeError: kernel.cpp:1: error: no header'
    """
    error = getattr(error, 'inner_exception', None) or error
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    of_compiler = [line for line in lines if 'error: ' in line]
    return f'{type(error).__name__}: {(of_compiler or lines or ["unknown"])[0]}'
