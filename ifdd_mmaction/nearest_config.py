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

#: Of a tensor; None for anything else.
Shape = tuple[int, ...] | None


def shape_of(value: Any) -> Shape:
    """Return the shape of what stands in a state dict."""
    return tuple(value.shape) if isinstance(value, Tensor) else None


class _NumbersStay(TorchFunctionMode):
    """Constructors read numbers from ``torch.linspace``; 'meta' has none of them."""

    def __torch_function__(
        self, func: Any, types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        kwargs = dict(kwargs or {})
        if func is torch.linspace:
            kwargs.setdefault('device', 'cpu')
        return func(*args, **kwargs)


def nearest_config(state: Mapping[str, Any]) -> str:
    """Say which config of the zoo has most of the tensors, by name and shape."""
    advice = 'Take the config that it was trained with'
    fitting = {
        name: sum(k in shapes and shapes[k] == shape_of(v) for k, v in state.items())
        for name, shapes in _zoo_shapes().items()
    }
    name = max(fitting, key=lambda name: fitting[name], default='')
    if not name or 2 * fitting[name] < len(state):
        return f'{advice}; none of the zoo is near'
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
        except (ImportError, KeyError):  # what it needs is not installed, or imported
            continue
    return found


def model_shapes(model: ConfigDict) -> dict[str, Shape]:
    """Return the shapes of the tensors of a config's model, by their names.

    It is built on the ``meta`` device: shapes, no arithmetic.

    Args:
        model: Config of a recognizer; it is left as it is.
    """
    # Here: compat imports this module before mmaction.
    from mmaction.registry import MODELS

    model = copy.deepcopy(model)
    model.pop('data_preprocessor', None)  # it has no weights
    if 'pretrained' in model.backbone:
        model.backbone.pretrained = None
    with warnings.catch_warnings(), torch.device('meta'), _NumbersStay():
        warnings.simplefilter('ignore')
        state = MODELS.build(model).state_dict()
    return {key: shape_of(value) for key, value in state.items()}
