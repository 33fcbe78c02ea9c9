"""Helpers of hooks to read a batch and a runner in any of their forms."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mmengine.optim import OptimWrapper, OptimWrapperDict
from mmengine.runner import BaseLoop, Runner
from mmengine.structures import BaseDataElement


def data_samples(batch: Any) -> list[BaseDataElement]:
    """Return the data samples of a batch.

    A batch is what the data loader's collate function returns: a dict with
    ``data_samples``, a tuple, or a list of those, with or without data samples.
    """
    if isinstance(batch, Mapping):
        batch = batch.get('data_samples')
    if isinstance(batch, BaseDataElement):
        return [batch]
    if not isinstance(batch, (list, tuple)):
        return []
    return [sample for part in batch for sample in data_samples(part)]


def optim_wrappers(runner: Runner) -> dict[str, OptimWrapper]:
    """Return the optimizer wrappers of a runner by name, ``''`` for a single one."""
    wrapper = runner.optim_wrapper
    return (
        dict(wrapper.items())
        if isinstance(wrapper, OptimWrapperDict)
        else {'': wrapper}
    )


def between_updates(wrapper: OptimWrapper) -> bool:
    """Return whether accumulated gradients wait for an update of the weights."""
    return wrapper._inner_count % wrapper._accumulative_counts != 0


def is_training(runner: Runner) -> bool:
    """Return whether the runner trains, or validates within a training.

    If it does not, reading ``runner.epoch``, ``iter`` or ``train_loop`` would build the
    training data.
    """
    return isinstance(runner._train_loop, BaseLoop)
