"""From clips to probabilities: what every inference engine looks like from outside."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from mmaction.registry import DATASETS, MODELS
from mmaction.structures import ActionDataSample
from mmengine.config import Config
from mmengine.device import get_device
from mmengine.registry import init_default_scope
from mmengine.runner import CheckpointLoader
from torch import Tensor

from ..checkpoints import CheckpointError
from ..errors import InputError
from ..models import infer_neck
from ..weights import find_state, load_model
from .onnx_predictor import OnnxPredictor
from .zoo import get_config, list_models


class Predictor(Protocol):
    """Turns clips into probabilities of the classes, with PyTorch or anything else.

    Attributes:
        classes: ``K`` names, in the order of the probabilities.
    """

    classes: tuple[str, ...]

    def __call__(self, clips: Tensor) -> np.ndarray:
        """Return ``(N, K)`` float32 probabilities; each row sums to one.

        Args:
            clips: ``(N, M, C, T, H, W)`` uint8 RGB, 0 to 255, as the config's test
                pipeline packs them; ``(N, M * T, C, H, W)`` for a ``Recognizer2D``.
                Normalising them is the predictor's work, and so is averaging over the
                M views of a clip.
        """


class TorchPredictor:
    """A recognizer of MMAction2 with the weights of a checkpoint.

    Args:
        config: Config file, or a config.
        checkpoint: Weights, as a file that MMEngine wrote.
        device: PyTorch's name of a device; the best one by default.

    Raises:
        InputError: If either cannot be read, or the one does not fit the other.
    """

    def __init__(
        self, config: str | Path | Config, checkpoint: str | Path, device: str = ''
    ) -> None:
        cfg = read_config(config)
        init_default_scope(cfg.get('default_scope', 'mmaction'))
        weights = _read_checkpoint(checkpoint)
        state = find_state(weights, str(checkpoint))
        if not cfg.model.get('neck') and any(
            re.search(r'(^|\.)neck\.', key) for key in state
        ):
            raise InputError(
                f'{checkpoint} has the weights of a neck, the config has none: take '
                'the config that it was trained with'
            )
        try:
            infer_neck(cfg.model)
            self.model = MODELS.build(cfg.model)
        except (ValueError, TypeError, KeyError, ImportError) as error:
            raise InputError(f'the model of the config: {_one_line(error)}') from error
        load_model(self.model, weights, str(checkpoint))
        self.classes = class_names(cfg, weights.get('meta') or {}, self._num_classes)
        try:
            self.device = torch.device(device or get_device())
            self.model.to(self.device)
        except (RuntimeError, AssertionError) as error:  # PyTorch's own of both kinds
            raise InputError(f'device {device}: {_one_line(error)}') from error
        self.model.eval()  # not chained: some models return None

    @torch.inference_mode()
    def __call__(self, clips: Tensor) -> np.ndarray:
        """Predict; see :class:`Predictor`."""
        data = dict(
            inputs=list(clips), data_samples=[ActionDataSample() for _ in clips]
        )
        samples = self.model.test_step(data)
        scores = torch.stack([sample.pred_score for sample in samples]).float()
        if self.model.cls_head.average_clips is None:  # (N, M, K) scores
            scores = scores.mean(dim=1)
        if self.model.cls_head.average_clips != 'prob':
            scores = scores.softmax(dim=1)
        return scores.cpu().numpy()

    @property
    def _num_classes(self) -> int:
        return int(self.model.cls_head.num_classes)


def build_predictor(
    config: str | Path | Config, weights: str | Path, device: str = ''
) -> Predictor:
    """Return the engine that runs a file of weights.

    Args:
        config: Config of the model.
        weights: A checkpoint of MMEngine, or an ONNX file of tools/export.py, for
            which the config is not looked at.
        device: PyTorch's name of a device; the best one by default.

    Raises:
        InputError: If they cannot be read or do not fit each other.
    """
    if Path(weights).suffix == '.onnx':
        return OnnxPredictor(weights, device)
    return TorchPredictor(config, weights, device)


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


def class_names(cfg: Config, meta: dict, num_classes: int) -> tuple[str, ...]:
    """Return the names of a model's classes: the checkpoint's, else the dataset's.

    The same emotions have different numbers in different projects, so the names that
    the checkpoint was trained with go before those of the config.

    Raises:
        InputError: If there are none, or not as many as the model has classes.
    """
    names = (meta.get('dataset_meta') or {}).get('classes')
    owner = 'the checkpoint'
    if not names:
        owner = 'the dataset of the config'
        dataset = cfg.get('test_dataloader', {}).get('dataset', {})
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


def _read_checkpoint(path: str | Path) -> dict[str, Any]:
    if not Path(path).is_file() and '://' not in str(path):
        raise InputError(f'no checkpoint {path}')
    try:
        weights = CheckpointLoader.load_checkpoint(str(path), map_location='cpu')
    except CheckpointError as error:
        raise InputError(str(error)) from error
    except Exception as error:  # pickle, zip and download errors have no common base
        raise InputError(
            f'{path} is no checkpoint that can be read safely: {_one_line(error)}'
        ) from error
    if not isinstance(weights, dict):
        raise InputError(f'{path} holds a {type(weights).__name__}, no state dict')
    return weights


def _one_line(error: Exception) -> str:
    lines = str(error).strip().splitlines() or ['']
    return f'{type(error).__name__}: {lines[0]}'
