"""From clips to probabilities: what every inference engine looks like from outside."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

import numpy as np
import torch
from mmaction.structures import ActionDataSample
from mmengine.config import Config
from torch import Tensor

from ..checkpoints import CheckpointError
from ..errors import InputError
from .models import build_model, class_names
from .onnx_predictor import OnnxPredictor


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
        try:
            self.model = build_model(config, checkpoint, device=device)
        except CheckpointError as error:
            raise InputError(str(error)) from error
        self.classes = class_names(self.model)
        self.device = next(self.model.parameters()).device

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
