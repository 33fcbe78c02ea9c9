"""Run a model's convolutions with channels last in memory."""

from __future__ import annotations

import torch
from mmaction.registry import HOOKS
from mmengine.hooks import Hook
from mmengine.runner import Runner
from torch import nn


@HOOKS.register_module()
class ChannelsLastHook(Hook):
    """Store the weights of 2-D and 3-D convolutions in the channels-last format.

    PyTorch gives a convolution's output the layout of its weight, and what follows
    keeps it where its kernels can, so neither clips nor model code need a change.
    Values, parameters and checkpoints stay what they are.

    Example:
        >>> from types import SimpleNamespace
        >>> from mmaction.registry import HOOKS
        >>> hook = HOOKS.build(dict(type='ChannelsLastHook'))
        >>> model = torch.nn.Conv3d(4, 8, kernel_size=3)
        >>> hook.before_train(SimpleNamespace(model=model))  # a runner calls it
        >>> model.weight.is_contiguous(memory_format=torch.channels_last_3d)
        True
    """

    def before_train(self, runner: Runner) -> None:
        """Change the layout, after weights were loaded."""
        convert(runner.model)

    def before_test(self, runner: Runner) -> None:
        """Change the layout, after weights were loaded."""
        convert(runner.model)


def convert(model: nn.Module) -> None:
    """Change the layout of a model's convolution weights, in place."""
    formats = {4: torch.channels_last, 5: torch.channels_last_3d}
    for module in model.modules():
        if isinstance(module, nn.Conv2d | nn.Conv3d):
            weight = module.weight
            weight.data = weight.data.contiguous(memory_format=formats[weight.dim()])
