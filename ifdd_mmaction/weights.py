"""Load the weights of a checkpoint into a model: all of them, or as a start.

Whatever scores clips loads through :func:`load_all`, training from other weights
(``load_from``) through :func:`load_start`. MMEngine's own loading says what did not fit
in its log and goes on with random weights (mmdetection#11865).
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from mmengine.logging import print_log
from mmengine.model import BaseTTAModel, is_model_wrapper
from torch import Tensor, nn

from .errors import InputError
from .nearest_config import nearest_config, shape_of

#: What torch.compile, FSDP and activation checkpointing put into names of tensors.
_WRAPPERS = re.compile(
    r'(^|(?<=\.))(_orig_mod|_fsdp_wrapped_module|_checkpoint_wrapped_module)\.'
)
#: Tensors that a message names of each kind.
NAMED = 3
#: The share of a backbone's tensors that training has to find to start from it.
ENOUGH = 0.5


def find_state(checkpoint: Any, name: str) -> dict[str, Any]:
    """Return the state dict of a checkpoint, or the checkpoint if it is one.

    Args:
        checkpoint: What :func:`~.checkpoints.read_checkpoint` returns.
        name: What to call it in errors.

    Raises:
        InputError: If there is none.

    Example:
        >>> from ifdd_mmaction.weights import find_state
        >>> weights = dict(weight=torch.ones(2))
        >>> find_state(dict(state_dict=weights, meta={}), 'model.pth') is weights
        True
        >>> find_state(weights, 'model.pth') is weights
        True
    """
    if not isinstance(checkpoint, Mapping):
        raise InputError(f'{name} holds a {type(checkpoint).__name__}, no state dict')
    state = checkpoint.get('state_dict', checkpoint)
    if not isinstance(state, Mapping) or not any(
        isinstance(value, Tensor) for value in state.values()
    ):
        keys = ', '.join(map(str, list(checkpoint)[:NAMED])) or 'nothing'
        raise InputError(
            f'{name} has no tensor in its state_dict, and holds {keys}: save the '
            "model's state_dict() under that name"
        )
    return state  # type: ignore[return-value]


def strip_prefixes(
    state: Mapping[str, Any], model: nn.Module, name: str = 'the checkpoint'
) -> tuple[dict[str, Any], str]:
    """Remove the prefixes that wrappers add to the names of a state dict.

    These are ``_orig_mod.`` of ``torch.compile`` and its like, anywhere in a name, and
    what every name begins with (``module.`` of DDP, the attribute under which other
    code keeps a recognizer) if the names of the model do not.

    Args:
        state: The state dict.
        model: The model that it is for.
        name: What to call the checkpoint in errors.

    Returns:
        The renamed state dict, and the prefixes in one line, ``''`` if there are none.

    Raises:
        InputError: If two tensors would have one name.

    Example:
        >>> from ifdd_mmaction.weights import strip_prefixes
        >>> model = torch.nn.Linear(2, 1)
        >>> state = {f'module.{k}': v for k, v in model.state_dict().items()}
        >>> state, stripped = strip_prefixes(state, model)
        >>> list(state), stripped
        (['weight', 'bias'], 'module.')
    """
    own = _unwrap(model).state_dict().keys()
    found: dict[str, None] = {}
    renamed = {}
    for key in state:
        found |= dict.fromkeys(match[0] for match in _WRAPPERS.finditer(key))
        renamed[key] = _WRAPPERS.sub('', key)
    heads: dict[str, None] = {}
    shorter = renamed
    while own.isdisjoint(shorter.values()):
        first = {key.partition('.')[0] for key in shorter.values()}
        if len(first) != 1 or not all('.' in key for key in shorter.values()):
            break
        head = f'{first.pop()}.'
        heads[head] = None
        shorter = {k: v.removeprefix(head) for k, v in shorter.items()}
    if heads and not own.isdisjoint(shorter.values()):
        found, renamed = heads | found, shorter
    if not found:
        return dict(state), ''
    result: dict[str, Any] = {}
    for key, new in renamed.items():
        if new in result:
            raise InputError(
                f'{name} has two tensors {new}, one of them as {key}: save the state '
                'dict of one model'
            )
        result[new] = state[key]
    return result, ', '.join(found)


def load_model(model: nn.Module, checkpoint: Any, name: str) -> None:
    """Load a checkpoint into the model that it is of, and log removed prefixes.

    Args:
        model: The model.
        checkpoint: What :func:`~.checkpoints.read_checkpoint` returns.
        name: What to call it.

    Raises:
        InputError: If it has no state dict, or one that does not fit.

    Example:
        >>> from ifdd_mmaction.weights import load_model
        >>> trained, model = torch.nn.Linear(2, 1), torch.nn.Linear(2, 1)
        >>> load_model(model, dict(state_dict=trained.state_dict()), 'model.pth')
        >>> torch.equal(model.weight, trained.weight)
        True
    """
    state, stripped = strip_prefixes(find_state(checkpoint, name), model, name)
    if stripped:
        print_log(off_the_names(name, stripped))
    load_all(model, state, name)


def off_the_names(name: str, stripped: str) -> str:
    """Return the message on the prefixes that :func:`strip_prefixes` removed.

    Args:
        name: What to call the checkpoint.
        stripped: The prefixes.

    Example:
        >>> from ifdd_mmaction.weights import off_the_names
        >>> off_the_names('model.pth', 'module.')
        'model.pth: module. taken off the names of its tensors'
    """
    return f'{name}: {stripped} taken off the names of its tensors'


def load_all(model: nn.Module, state: Mapping[str, Any], name: str) -> None:
    """Load a state dict that has to fit the model, tensor by tensor.

    Args:
        model: The model, also within a wrapper.
        state: A state dict of names as :func:`strip_prefixes` leaves them.
        name: What to call the checkpoint in errors.

    Raises:
        InputError: If a tensor is missing, left over or of another shape. Part of it
            may be loaded then.

    Example:
        >>> from ifdd_mmaction.weights import load_all
        >>> model = torch.nn.Linear(2, 1)
        >>> state = dict(weight=torch.ones(1, 2), bias=torch.zeros(1))
        >>> load_all(model, state, 'model.pth')
        >>> model.weight.tolist()
        [[1.0, 1.0]]
    """
    model = _unwrap(model)
    try:
        missing, unexpected = model.load_state_dict(state, strict=False)
    except RuntimeError:  # of other shapes: PyTorch has looked at all of them
        own = model.state_dict()
        missing = [key for key in own if key not in state]
        unexpected = [key for key in state if key not in own]
    own = model.state_dict()
    for key in own:
        given, wanted = shape_of(state.get(key)), shape_of(own[key])
        if (
            key.startswith('cls_head.') and given and wanted
            and given[0] != wanted[0] and given[1:] == wanted[1:]
        ):  # fmt: skip
            raise InputError(
                f'{name} is of {given[0]} classes, the config of {wanted[0]}: take the '
                'config that it was trained with'
            )
    missing = [key for key in missing if not key.endswith('num_batches_tracked')]
    shapes = [
        f'{key} {shape_of(state[key])} for {shape_of(own[key])}'
        for key in own
        if key in state and shape_of(own[key]) != shape_of(state[key])
    ]
    problems = [
        f'{said} {_named(keys)}'
        for said, keys in (
            (f'lacks {len(missing)} of {len(own)} tensors,', missing),
            (f'has {len(unexpected)} more,', unexpected),
            (f'has {len(shapes)} of another shape,', shapes),
        )
        if keys
    ]
    if problems:
        raise InputError(
            f'{name} is not of the model of the config: it {"; it ".join(problems)}. '
            f'{nearest_config(state)}'
        )


def load_start(model: nn.Module, state: Mapping[str, Any], name: str) -> str:
    """Load what a state dict has for a model that is going to be trained.

    A tensor is taken if the model has one of its name and shape. At least half of the
    tensors of the backbone have to be (without a backbone, of the model): the head and
    the neck may be new.

    Args:
        model: The model, also within a wrapper.
        state: A state dict of names as :func:`strip_prefixes` leaves them.
        name: What to call the checkpoint.

    Returns:
        How many tensors were taken, in one line.

    Raises:
        InputError: If there were none or few; nothing is loaded then.

    Example:
        >>> from ifdd_mmaction.weights import load_start
        >>> def recognizer(classes):
        ...     backbone, head = torch.nn.Linear(2, 4), torch.nn.Linear(4, classes)
        ...     return torch.nn.ModuleDict(dict(backbone=backbone, head=head))
        >>> pretrained = recognizer(classes=400).state_dict()
        >>> print(load_start(recognizer(classes=7), pretrained, 'kinetics.pth'))
        kinetics.pth: 2 of 4 tensors taken by name and shape (backbone 2 of 2, head 0
        of 2); of another shape: head.weight, head.bias
    """
    model = _unwrap(model)
    own = {k: v for k, v in model.state_dict().items() if not k.endswith('_tracked')}
    taken = [k for k in own if k in state and shape_of(state[k]) == shape_of(own[k])]
    parts: dict[str, list[str]] = {}
    for key in own:
        parts.setdefault(key.partition('.')[0], []).append(key)
    counts = ', '.join(
        f'{part} {len(set(keys).intersection(taken))} of {len(keys)}'
        for part, keys in parts.items()
    )
    decisive = parts.get('backbone', list(own))
    if len(set(decisive).intersection(taken)) < max(1, ENOUGH * len(decisive)):
        bare = sum(f'backbone.{key}' in own for key in state)
        advice = nearest_config(state)
        if bare >= ENOUGH * len(decisive):
            advice = (
                'It is a backbone alone: give it as model.backbone.init_cfg=dict('
                f"type='Pretrained', checkpoint='{name}') in place of load_from"
            )
        raise InputError(
            f'{name} fits too little of the model of the config to start from, '
            f'{len(taken)} of {len(own)} tensors by name and shape ({counts}); it '
            f'has {len(state)}, {_named(list(state))}. '
            f'{advice}'
        )
    model.load_state_dict({key: state[key] for key in taken}, strict=False)
    other = [k for k in own if k in state and k not in set(taken)]
    rest = [f'of another shape: {_named(other)}'] if other else []
    if unknown := [key for key in state if key not in model.state_dict()]:
        rest.append(f'not in the model: {len(unknown)}, {_named(unknown)}')
    return '; '.join(
        [
            f'{name}: {len(taken)} of {len(own)} tensors taken by name and shape '
            f'({counts})',
            *rest,
        ]
    )


def _unwrap(model: nn.Module) -> nn.Module:
    while is_model_wrapper(model) or isinstance(model, BaseTTAModel):
        model = model.module  # type: ignore[assignment]
    return model


def _named(keys: Sequence[str]) -> str:
    more = ', ...' if len(keys) > NAMED else ''
    return f'such as {", ".join(keys[:NAMED])}{more}' if more else ', '.join(keys)
