"""Load the weights of a checkpoint into a model: all of them, or those that match.

Testing, inference and resuming load with :func:`load_all`, training from other weights
(``load_from``) with :func:`load_start`. MMEngine's own loading logs the tensors that do
not match and continues with random weights (mmdetection#11865).
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

#: Prefixes that torch.compile, FSDP and activation checkpointing add to tensor names.
_WRAPPERS = re.compile(
    r'(^|(?<=\.))(_orig_mod|_fsdp_wrapped_module|_checkpoint_wrapped_module)\.'
)
#: Number of tensor names in each list of a message.
MAX_NAMED = 3
#: Minimum fraction of the backbone's tensors that must match when training starts.
MIN_BACKBONE_SHARE = 0.5


def find_state(checkpoint: Any, name: str) -> dict[str, Any]:
    """Return the state dict of a checkpoint, or the checkpoint if it is one.

    Args:
        checkpoint: What :func:`~.checkpoints.read_checkpoint` returns.
        name: What to call it in errors.

    Raises:
        InputError: If the checkpoint has no state dict.

    Example:
        >>> from ifdd_mmaction.weights import find_state
        >>> weights = dict(weight=torch.ones(2))
        >>> find_state(dict(state_dict=weights, meta={}), 'model.pth') is weights
        True
        >>> find_state(weights, 'model.pth') is weights
        True
    """
    if not isinstance(checkpoint, Mapping):
        raise InputError(
            f'{name} holds a {type(checkpoint).__name__}, not a state dict: save the '
            "model's state_dict()"
        )
    state = checkpoint.get('state_dict', checkpoint)
    if not isinstance(state, Mapping) or not any(
        isinstance(value, Tensor) for value in state.values()
    ):
        keys = ', '.join(map(str, list(checkpoint)[:MAX_NAMED])) or 'none'
        raise InputError(
            f'{name} has no tensor in its state_dict; its keys are {keys}: save the '
            "model's state_dict() under that name"
        )
    return state  # type: ignore[return-value]


def strip_prefixes(
    state: Mapping[str, Any], model: nn.Module, name: str = 'the checkpoint'
) -> tuple[dict[str, Any], str]:
    """Remove the prefixes of wrappers from the names of a state dict.

    Removed are ``_orig_mod.`` of ``torch.compile`` and similar ones, at any position,
    and the prefixes that all names share (``module.`` of DDP, or the attribute in which
    other code stores a recognizer), where the names of the model lack them.

    Args:
        state: The state dict.
        model: The model that the state dict is loaded into.
        name: Name of the checkpoint in errors.

    Returns:
        The state dict with the shorter names, and the prefixes that were removed,
        ``''`` if there are none.

    Raises:
        InputError: If two tensors would get the same name.

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
                f'{name} has two tensors {new}, one of them stored as {key}: save the '
                'state dict of one model'
            )
        result[new] = state[key]
    return result, ', '.join(found)


def load_model(model: nn.Module, checkpoint: Any, name: str) -> None:
    """Load a checkpoint whose tensors must all match; log the prefixes removed.

    Args:
        model: The model.
        checkpoint: Checkpoint of :func:`~.checkpoints.read_checkpoint`.
        name: Name of the checkpoint in messages.

    Raises:
        InputError: If the checkpoint has no state dict, or one that does not match.

    Example:
        >>> from ifdd_mmaction.weights import load_model
        >>> trained, model = torch.nn.Linear(2, 1), torch.nn.Linear(2, 1)
        >>> load_model(model, dict(state_dict=trained.state_dict()), 'model.pth')
        >>> torch.equal(model.weight, trained.weight)
        True
    """
    state, stripped = strip_prefixes(find_state(checkpoint, name), model, name)
    if stripped:
        print_log(stripped_message(name, stripped))
    load_all(model, state, name)


def stripped_message(name: str, stripped: str) -> str:
    """Return one line about the prefixes that :func:`strip_prefixes` removed.

    Example:
        >>> from ifdd_mmaction.weights import stripped_message
        >>> stripped_message('model.pth', 'module.')
        'model.pth: removed module. from the names of its tensors'
    """
    return f'{name}: removed {stripped} from the names of its tensors'


def load_all(model: nn.Module, state: Mapping[str, Any], name: str) -> None:
    """Load a state dict whose tensors must all match those of the model.

    Args:
        model: The model, also within a wrapper.
        state: A state dict of names as :func:`strip_prefixes` leaves them.
        name: Name of the checkpoint in errors.

    Raises:
        InputError: If a tensor is missing, unexpected or has another shape. The model
            must not be used afterwards.

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
    except RuntimeError:  # other shapes: raised after all tensors were compared
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
                f'{name} has {given[0]} classes, the config has {wanted[0]}: use the '
                'config that it was trained with'
            )
    missing = [key for key in missing if not key.endswith('num_batches_tracked')]
    shapes = [
        f'{key} {shape_of(state[key])} for {shape_of(own[key])}'
        for key in own
        if key in state and shape_of(own[key]) != shape_of(state[key])
    ]
    problems = [
        f'{problem} {_named(keys)}'
        for problem, keys in (
            (f'lacks {len(missing)} of {len(own)} tensors,', missing),
            (f'has {len(unexpected)} unexpected ones,', unexpected),
            (f'has {len(shapes)} of another shape,', shapes),
        )
        if keys
    ]
    if problems:
        raise InputError(
            f'{name} does not match the model of the config: '
            f'it {"; it ".join(problems)}. '
            f'{nearest_config(state)}'
        )


def load_start(model: nn.Module, state: Mapping[str, Any], name: str) -> str:
    """Load the tensors of a state dict that match a model, to start training from.

    A tensor matches if the model has one of its name and shape. At least half of the
    tensors of the backbone must match (of the model, if it has no backbone); head and
    neck may be new.

    Args:
        model: The model, also within a wrapper.
        state: A state dict of names as :func:`strip_prefixes` leaves them.
        name: Name of the checkpoint in messages.

    Returns:
        One line with the number of tensors loaded.

    Raises:
        InputError: If fewer match; then nothing is loaded.

    Example:
        >>> from ifdd_mmaction.weights import load_start
        >>> def recognizer(classes):
        ...     backbone, head = torch.nn.Linear(2, 4), torch.nn.Linear(4, classes)
        ...     return torch.nn.ModuleDict(dict(backbone=backbone, head=head))
        >>> pretrained = recognizer(classes=400).state_dict()
        >>> print(load_start(recognizer(classes=7), pretrained, 'kinetics.pth'))
        kinetics.pth: 2 of 4 tensors match by name and shape (backbone 2 of 2, head 0
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
    if len(set(decisive).intersection(taken)) < max(
        1, MIN_BACKBONE_SHARE * len(decisive)
    ):
        bare = sum(f'backbone.{key}' in own for key in state)
        advice = nearest_config(state)
        if bare >= MIN_BACKBONE_SHARE * len(decisive):
            advice = (
                'It holds only a backbone: set model.backbone.init_cfg=dict('
                f"type='Pretrained', checkpoint='{name}') instead of load_from"
            )
        raise InputError(
            f'{name} matches too few tensors of the model of the config, '
            f'{len(taken)} of {len(own)} by name and shape ({counts}); it '
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
            f'{name}: {len(taken)} of {len(own)} tensors match by name and shape '
            f'({counts})',
            *rest,
        ]
    )


def _unwrap(model: nn.Module) -> nn.Module:
    while is_model_wrapper(model) or isinstance(model, BaseTTAModel):
        model = model.module  # type: ignore[assignment]
    return model


def _named(keys: Sequence[str]) -> str:
    more = ', ...' if len(keys) > MAX_NAMED else ''
    return f'such as {", ".join(keys[:MAX_NAMED])}{more}' if more else ', '.join(keys)
