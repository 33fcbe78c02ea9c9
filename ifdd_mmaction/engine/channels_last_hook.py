"""Run the convolutions of a model in the channels-last memory format."""

from __future__ import annotations

import torch
from mmaction.registry import HOOKS
from mmengine.hooks import Hook
from mmengine.runner import Runner
from torch import nn


@HOOKS.register_module()
class ChannelsLastHook(Hook):
    """Convert the weights of 2-D and 3-D convolutions to channels last.

    In PyTorch the output of a convolution has the memory format of its weight, and
    later layers keep it where their kernels support it, so that neither clips nor
    model code change. Values, parameters and checkpoints are unchanged.

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
        """Convert the weights, after they were loaded."""
        convert(runner.model)

    def before_test(self, runner: Runner) -> None:
        """Convert the weights, after they were loaded."""
        convert(runner.model)


def convert(model: nn.Module) -> None:
    """Convert the convolution weights of a model in place."""
    formats = {4: torch.channels_last, 5: torch.channels_last_3d}
    for module in model.modules():
        if isinstance(module, nn.Conv2d | nn.Conv3d):
            weight = module.weight
            weight.data = weight.data.contiguous(memory_format=formats[weight.dim()])
