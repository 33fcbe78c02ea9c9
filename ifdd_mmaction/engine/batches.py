"""What a hook can know of a batch and of a runner, whatever their form."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mmengine.optim import OptimWrapper, OptimWrapperDict
from mmengine.runner import BaseLoop, Runner
from mmengine.structures import BaseDataElement


def data_samples(batch: Any) -> list[BaseDataElement]:
    """Return the data samples of a batch.

    MMEngine hands a model what the data loader's collate function makes: a dict of
    ``data_samples``, a tuple, or a list of such, with or without data samples.
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
    """Return whether gradients are accumulated that are not used yet."""
    return wrapper._inner_count % wrapper._accumulative_counts != 0


def is_training(runner: Runner) -> bool:
    """Return whether the runner trains, or validates within a training.

    ``runner.epoch``, ``iter`` and ``train_loop`` build the training data where it
    does not.
    """
    return isinstance(runner._train_loop, BaseLoop)
