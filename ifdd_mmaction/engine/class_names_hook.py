"""Match the classes of a checkpoint to those of a dataset by name."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from mmaction.registry import HOOKS
from mmengine.hooks import Hook
from mmengine.runner import BaseLoop, Runner

from ..datasets import DatasetError
from ..datasets.checks import check_classes


@HOOKS.register_module()
class ClassNamesHook(Hook):
    """Reorder the classification layer of a checkpoint to the dataset's class order.

    Projects number the expressions differently. MMEngine stores the class names in a
    checkpoint (``meta.dataset_meta.classes``). If the dataset has the same names,
    ignoring case, in another order, the rows of the layer are permuted and the log
    says so. A checkpoint without names is used unchanged, with a warning.

    Args:
        other_classes: For a checkpoint whose names are not the dataset's: ``'error'``,
            or ``'drop'`` to ignore its classification layer and train a new one.
        layer: Name of the classification layer.

    Raises:
        DatasetError: If the names differ and ``other_classes`` is ``'error'``; or
            when resuming, if their order does, which the optimizer's state shares.
        ValueError: If ``other_classes`` is neither.

    Example:
        >>> from mmaction.registry import HOOKS
        >>> config = dict(type='ClassNamesHook', other_classes='drop')
        >>> HOOKS.build(config).other_classes
        'drop'
    """

    def __init__(
        self, other_classes: str = 'error', layer: str = 'cls_head.fc_cls'
    ) -> None:
        if other_classes not in ('error', 'drop'):
            raise ValueError(f"other_classes={other_classes!r}: set 'error' or 'drop'")
        self.other_classes = other_classes
        self.layer = re.compile(rf'(^|\.){re.escape(layer)}\.(weight|bias)$')

    def before_run(self, runner: Runner) -> None:
        """Compare the classes of the data, the head and the loss."""
        loops = dict(
            train_dataloader=runner._train_loop,
            val_dataloader=runner._val_loop,
            test_dataloader=runner._test_loop,
        )
        built = {
            name: loop.dataloader.dataset
            for name, loop in loops.items()
            if isinstance(loop, BaseLoop)
        }
        check_classes(runner.cfg.get('model') or {}, built)

    def after_load_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Permute, drop or refuse the checkpoint's classification layer."""
        states = [checkpoint.get('state_dict', checkpoint)]
        states += [checkpoint[k] for k in ('ema_state_dict',) if k in checkpoint]
        wanted = _dataset_classes(runner)
        layers = [(s, key) for s in states for key in s if self.layer.search(key)]
        if not wanted or not layers:
            return
        meta = (checkpoint.get('meta') or {}).get('dataset_meta') or {}
        given = [str(name) for name in meta.get('classes', ())]
        if not given:
            runner.logger.warning(
                'the checkpoint has no class names: they are assumed to be, in order, '
                f'{", ".join(wanted)}'
            )
            return
        if _casefold(given) == _casefold(wanted):
            return
        if sorted(_casefold(given)) != sorted(_casefold(wanted)):
            if self.other_classes == 'error':
                raise DatasetError(
                    f'the checkpoint has the classes {", ".join(given)}, the dataset '
                    f'has {", ".join(wanted)}. To train a new classifier on its other '
                    "weights, set other_classes='drop' of the ClassNamesHook."
                )
            for state, key in layers:
                del state[key]
            runner.logger.warning('the classification layer is not loaded: new classes')
            return
        if runner._resume:
            raise DatasetError(
                f'the checkpoint to resume has the classes in the order '
                f'{", ".join(given)}, the dataset in the order {", ".join(wanted)}. '
                'Resume on the dataset that it was trained on.'
            )
        order = [_casefold(given).index(name) for name in _casefold(wanted)]
        for state, key in layers:
            state[key] = state[key][order]
        runner.logger.warning(
            f'classes remapped by name: {", ".join(given)} in the checkpoint, '
            f'{", ".join(wanted)} in the dataset'
        )


def _casefold(names: Sequence[str]) -> list[str]:
    return [name.casefold() for name in names]


def _dataset_classes(runner: Runner) -> list[str]:
    """Return the classes of the first dataset that the runner will use."""
    # The public properties would build loops that are not run.
    for loop in (runner._train_loop, runner._val_loop, runner._test_loop):
        if isinstance(loop, BaseLoop):
            meta: Any = getattr(loop.dataloader.dataset, 'metainfo', {})
            return [str(name) for name in meta.get('classes', ())]
    return []
