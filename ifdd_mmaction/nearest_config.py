"""The config of the zoo whose model is nearest to a state dict."""

from __future__ import annotations

import copy
import functools
import warnings
from collections.abc import Mapping
from typing import Any

import torch
from mmengine.config import ConfigDict
from torch import Tensor
from torch.overrides import TorchFunctionMode

#: Shape of a tensor; None for any other value.
Shape = tuple[int, ...] | None


def shape_of(value: Any) -> Shape:
    """Return the shape of a value of a state dict."""
    return tuple(value.shape) if isinstance(value, Tensor) else None


class _LinspaceOnCpu(TorchFunctionMode):
    """Keep ``torch.linspace`` on the CPU: constructors read numbers from it."""

    def __torch_function__(
        self, func: Any, types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        kwargs = dict(kwargs or {})
        if func is torch.linspace:
            kwargs.setdefault('device', 'cpu')
        return func(*args, **kwargs)


def nearest_config(state: Mapping[str, Any]) -> str:
    """Name the config of the zoo that has most of the tensors, by name and shape."""
    advice = 'Use the config that it was trained with'
    fitting = {
        name: sum(k in shapes and shapes[k] == shape_of(v) for k, v in state.items())
        for name, shapes in _zoo_shapes().items()
    }
    name = max(fitting, key=lambda name: fitting[name], default='')
    if not name or 2 * fitting[name] < len(state):
        return f'{advice}; no config of the zoo is similar'
    return (
        f'{advice}; the nearest in the zoo is {name}, which has {fitting[name]} of the '
        f'{len(state)} tensors'
    )


@functools.cache
def _zoo_shapes() -> dict[str, dict[str, Shape]]:
    """Return the shapes of the tensors of each model of the zoo, by their names."""
    from .apis.zoo import ZooError, get_config, list_models

    try:
        names = list_models()
    except ZooError:  # installed without the configs
        return {}
    found = {}
    for name in names:
        try:
            found[name] = model_shapes(get_config(name).model)
        except (ImportError, KeyError):  # needs a package that is not installed
            continue
    return found


def model_shapes(model: ConfigDict) -> dict[str, Shape]:
    """Return the shapes of the tensors of a config's model, by their names.

    It is built on the ``meta`` device, without data.

    Args:
        model: Config of a recognizer; it is not changed.
    """
    # Here: compat imports this module before mmaction.
    from mmaction.registry import MODELS

    model = copy.deepcopy(model)
    model.pop('data_preprocessor', None)  # it has no weights
    if 'pretrained' in model.backbone:
        model.backbone.pretrained = None
    with warnings.catch_warnings(), torch.device('meta'), _LinspaceOnCpu():
        warnings.simplefilter('ignore')
        state = MODELS.build(model).state_dict()
    return {key: shape_of(value) for key, value in state.items()}
