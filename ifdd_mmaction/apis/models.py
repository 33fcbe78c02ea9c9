"""Models with their weights: of a config, or of the zoo by name."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from copy import deepcopy
from pathlib import Path
from typing import Any

import torch
from mmaction.models import BaseRecognizer
from mmaction.registry import DATASETS, MODELS
from mmengine.config import Config
from mmengine.device import get_device
from mmengine.registry import init_default_scope
from mmengine.runner import CheckpointLoader

from ..checkpoints import CheckpointError, read_checkpoint
from ..engine import divide_logits, read_temperature
from ..errors import InputError
from ..weights import find_state, load_model
from .zoo import get_checkpoint, get_config, list_models


def build_model(
    config: str | Path | Config,
    checkpoint: str | Path | None = None,
    *,
    device: str | torch.device = '',
    cfg_options: Mapping[str, Any] | None = None,
    calibrated: bool = False,
) -> BaseRecognizer:
    """Build the recognizer of a config, load its weights, set evaluation mode.

    >>> from ifdd_mmaction.apis import build_model, class_names, get_checkpoint
    >>> weights = get_checkpoint('ifdd_vit_sample')
    >>> model = build_model('ifdd_vit_sample', weights, device='cpu')
    >>> class_names(model)[:3]
    ('happy', 'sad', 'neutral')

    Args:
        config: Config file, name of a model of the zoo, or a config; it is not changed.
        checkpoint: File or address of the weights (``.pth``, ``.safetensors``), all of
            which have to fit. Without one the weights are those that the constructors
            leave: nothing is fetched.
        device: PyTorch's name of a device; the best one by default.
        cfg_options: Values to change in the config, by keys such as
            ``'model.cls_head.num_classes'``.
        calibrated: Whether to divide the logits by the temperature in the checkpoint;
            see :func:`calibrate`.

    Returns:
        The recognizer, with its config as ``cfg``, the checkpoint's ``meta``, such as
        its ``epoch``, as ``checkpoint_meta``, and the ``dataset_meta`` in it, what the
        checkpoint says of its data. All are empty where the checkpoint has none.

    Raises:
        InputError: If config or checkpoint cannot be found, they do not fit each other,
            there is no such device, or no temperature to divide by.
        CheckpointError: If the checkpoint is damaged or would run code.
    """
    cfg = read_config(config, cfg_options)
    init_default_scope(cfg.get('default_scope', 'mmaction'))
    weights = {} if checkpoint is None else _read_checkpoint(checkpoint, cfg)
    try:
        # Of a copy: MMAction2 takes the type of some backbones out of the config.
        model: BaseRecognizer = MODELS.build(deepcopy(cfg.model))
    except InputError:
        raise
    except Exception as error:  # a number in a config reaches every constructor
        raise InputError(f'the model of the config: {_one_line(error)}') from error
    if checkpoint is not None:
        load_model(model, weights, str(checkpoint))
    model.cfg = cfg
    model.checkpoint_meta = weights.get('meta') or {}
    model.dataset_meta = model.checkpoint_meta.get('dataset_meta') or {}
    if calibrated:
        divide_logits(model, read_temperature(model.checkpoint_meta, str(checkpoint)))
    try:
        model.to(torch.device(device or get_device()))
    except (RuntimeError, AssertionError) as error:  # PyTorch's own of both kinds
        raise InputError(f'device {device}: {_one_line(error)}') from error
    model.eval()  # not chained: some models return None
    return model


def get_model(
    name: str, pretrained: bool | str | os.PathLike = False, device: str = 'cpu'
) -> BaseRecognizer:
    """Build a recognizer of the zoo, in evaluation mode.

    >>> from ifdd_mmaction.apis import get_model
    >>> get_model('ifdd_vit_sample', pretrained=True).dataset_meta['fold']
    1

    Args:
        name: One of :func:`list_models`.
        pretrained: ``True`` for the weights of the zoo, or a file of weights
            (``.pth``, ``.safetensors``); ``False`` for those that the constructors
            leave: nothing is fetched.
        device: PyTorch's name of a device.

    Returns:
        The recognizer; see :func:`build_model`.

    Raises:
        ZooError: If there is no such model or checkpoint.
        InputError: If they do not fit.
        CheckpointError: If a checkpoint is damaged or would run code.
    """
    cfg = get_config(name)
    checkpoint = get_checkpoint(name) if pretrained is True else pretrained
    weights = Path(checkpoint) if checkpoint else None
    return build_model(cfg, weights, device=device)


def read_config(
    config: str | Path | Config, options: Mapping[str, Any] | None = None
) -> Config:
    """Read a config with a model: a file, or one of the zoo by its name.

    Args:
        config: The file, the name, or a config.
        options: What ``--cfg-options`` changes in it.

    Raises:
        InputError: If there is none, or it has no place for an option.
    """
    if not isinstance(config, Config):
        name = str(config)
        try:
            if Path(config).is_file():
                config = Config.fromfile(config)
            elif name in list_models():
                config = get_config(name)
            else:
                raise InputError(f'no config {name}, neither a file nor in the zoo')
        except InputError:
            raise
        except Exception as error:  # a config is a program: it can raise anything
            raise InputError(f'{name} is no config: {_one_line(error)}') from error
    config = config.copy()
    try:
        config.merge_from_dict(dict(options or {}))
    except (KeyError, TypeError) as error:
        raise InputError(f'--cfg-options: {_one_line(error)}') from error
    if not config.get('model'):
        raise InputError(f'the config {config.filename} has no model')
    return config


def class_names(model: BaseRecognizer) -> tuple[str, ...]:
    """Return the names of a model's classes: the checkpoint's, else the dataset's.

    The same expressions have different numbers in different projects, so the names that
    the checkpoint was trained with go before those of the config.

    Args:
        model: What :func:`build_model` returns.

    Raises:
        InputError: If there are none, or not as many as the model has classes.

    Example:
        >>> from ifdd_mmaction.apis import class_names, get_model
        >>> class_names(get_model('ifdd_vit_sample'))
        ('happy', 'sad', 'neutral', 'angry', 'surprise', 'disgust', 'fear')
    """
    num_classes = int(model.cls_head.num_classes)
    names, owner = model.dataset_meta.get('classes'), 'the checkpoint'
    if not names:
        owner = 'the dataset of the config'
        dataset = model.cfg.get('test_dataloader', {}).get('dataset', {})
        names = (dataset.get('metainfo') or {}).get('classes')
        kind = DATASETS.get(dataset.type) if not names and 'type' in dataset else None
        names = names or getattr(kind, 'METAINFO', {}).get('classes')
    if not names:
        raise InputError(
            f'neither the checkpoint nor the config names the {num_classes} classes: '
            'set test_dataloader.dataset.metainfo=dict(classes=(...)) in the config'
        )
    if len(names) != num_classes:
        raise InputError(
            f'{owner} names {len(names)} classes, the model has {num_classes}'
        )
    return tuple(map(str, names))


def _read_checkpoint(path: str | Path, cfg: Config) -> dict[str, Any]:
    remote = '://' in str(path)
    if not remote and not Path(path).is_file():
        raise InputError(f'no checkpoint {path}')
    read = CheckpointLoader.load_checkpoint if remote else read_checkpoint
    try:
        weights = read(str(path), map_location='cpu')
    except CheckpointError:
        raise
    except Exception as error:  # those of files and downloads have no common base
        raise InputError(
            f'{path} is not a checkpoint that can be read safely: {_one_line(error)}'
        ) from error
    state = find_state(weights, str(path))
    if not cfg.model.get('neck') and any(
        re.search(r'(^|\.)neck\.', key) for key in state
    ):
        raise InputError(
            f'{path} has the weights of a neck, the config has none: take the config '
            'that it was trained with'
        )
    return weights


def _one_line(error: Exception) -> str:
    lines = str(error).strip().splitlines() or ['']
    return f'{type(error).__name__}: {lines[0]}'
