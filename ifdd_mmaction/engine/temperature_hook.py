"""Divide the logits of a head by the temperature that a checkpoint has."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from mmaction.registry import HOOKS
from mmengine.hooks import Hook
from mmengine.model import BaseTTAModel, is_model_wrapper
from mmengine.runner import Runner
from torch import Tensor, nn
from torch.utils.hooks import RemovableHandle

from ..errors import InputError

#: Key of the metadata of a checkpoint; its value has a ``temperature``.
KEY = 'calibration'


def read_temperature(meta: Mapping[str, Any], name: str) -> float:
    """Return the temperature in the metadata of a checkpoint.

    Args:
        meta: The ``meta`` of a checkpoint.
        name: Name of the checkpoint in errors.

    Raises:
        InputError: If there is none, or it is no positive number.

    Example:
        >>> from ifdd_mmaction.engine import read_temperature
        >>> read_temperature(dict(calibration=dict(temperature=1.5)), 'epoch_20.pth')
        1.5
        >>> read_temperature({}, 'epoch_20.pth')
        Traceback (most recent call last):
        ...
        ifdd_mmaction...InputError: epoch_20.pth has no temperature: fit one with `ifdd
        calibrate CONFIG epoch_20.pth`
    """
    stored = (meta or {}).get(KEY)
    if not stored:
        raise InputError(
            f'{name} has no temperature: fit one with `ifdd calibrate CONFIG {name}`'
        )
    value: Any = stored.get('temperature') if isinstance(stored, Mapping) else stored
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    if not is_number or not (math.isfinite(value) and value > 0):
        raise InputError(
            f'{name} has the temperature {value!r}, not a positive number: fit one '
            f'with `ifdd calibrate CONFIG {name}`'
        )
    return float(value)


def divide_logits(model: nn.Module, temperature: float) -> RemovableHandle:
    """Divide the logits of a recognizer's head by a temperature.

    Each view of a clip is divided, before softmax and averaging. The state dict does
    not change.

    Args:
        model: A recognizer, also within a wrapper.
        temperature: A positive number.

    Returns:
        Its ``remove()`` ends the division.

    Raises:
        InputError: If the model has no ``cls_head``.

    Example:
        >>> from ifdd_mmaction.engine import divide_logits
        >>> model = torch.nn.ModuleDict(dict(cls_head=torch.nn.Linear(2, 3)))
        >>> logits = model.cls_head(torch.ones(1, 2))
        >>> handle = divide_logits(model, 2.0)
        >>> torch.equal(model.cls_head(torch.ones(1, 2)), logits / 2)
        True
    """
    while is_model_wrapper(model) or isinstance(model, BaseTTAModel):
        model = model.module  # type: ignore[assignment]
    head = getattr(model, 'cls_head', None)
    if not isinstance(head, nn.Module):
        raise InputError(
            f'{type(model).__name__} has no cls_head: a temperature divides its logits'
        )

    def divide(module: nn.Module, inputs: Any, logits: Any) -> Tensor:
        if not isinstance(logits, Tensor):
            raise InputError(
                f'{type(module).__name__} returns a {type(logits).__name__}, not the '
                'logits that a temperature divides'
            )
        return logits / temperature

    return head.register_forward_hook(divide)


@HOOKS.register_module()
class TemperatureHook(Hook):
    """Divide logits by the temperature of the tested checkpoint, in tests only.

    ``tools/calibrate.py`` fits the temperature; it is in ``meta.calibration``.

    Raises:
        InputError: If the checkpoint has no temperature.

    Example:
        >>> from mmaction.registry import HOOKS
        >>> hook = HOOKS.build(dict(type='TemperatureHook'))
    """

    def __init__(self) -> None:
        self._meta: Mapping[str, Any] = {}
        self._handle: RemovableHandle | None = None

    def after_load_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Keep the metadata of the checkpoint."""
        self._meta = checkpoint.get('meta') or {}

    def before_test(self, runner: Runner) -> None:
        """Begin to divide."""
        name = str(runner._load_from or 'the checkpoint')
        temperature = read_temperature(self._meta, name)
        runner.logger.info(f'logits are divided by the temperature {temperature:g}')
        self._handle = divide_logits(runner.model, temperature)

    def after_test(self, runner: Runner) -> None:
        """Cease to divide."""
        if self._handle is not None:
            self._handle.remove()
