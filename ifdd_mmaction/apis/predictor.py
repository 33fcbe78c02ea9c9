"""From clips to probabilities, with PyTorch or with ONNX Runtime."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from mmaction.structures import ActionDataSample
from mmengine.config import Config
from torch import Tensor

from ..checkpoints import CheckpointError
from ..engine import read_temperature
from ..errors import InputError
from .models import build_model, class_names

#: Keys that tools/export.py writes to the metadata of the file, with JSON values.
METADATA = ('classes', 'mean', 'std', 'clip_shape', 'average_clips', 'frames_first')


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
        calibrated: Whether to divide the logits by the checkpoint's temperature.

    Attributes:
        classes: ``K`` names, in the order of the probabilities.
        temperature: What logits are divided by, or None.

    Raises:
        InputError: If either cannot be read, the one does not fit the other, or there
            is no temperature.

    Example:
        >>> from ifdd_mmaction.apis import TorchPredictor, get_checkpoint
        >>> predictor = TorchPredictor(
        ...     'ifdd_vit_sample', get_checkpoint('ifdd_vit_sample'), device='cpu'
        ... )
        >>> predictor(torch.zeros(2, 1, 3, 16, 64, 64, dtype=torch.uint8)).shape
        (2, 7)
    """

    def __init__(
        self,
        config: str | Path | Config,
        checkpoint: str | Path,
        device: str = '',
        *,
        calibrated: bool = False,
    ) -> None:
        try:
            self.model = build_model(
                config, checkpoint, device=device, calibrated=calibrated
            )
        except CheckpointError as error:
            raise InputError(str(error)) from error
        self.temperature: float | None = None
        if calibrated:
            meta = self.model.checkpoint_meta
            self.temperature = read_temperature(meta, str(checkpoint))
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


class OnnxPredictor:
    """A recognizer in an ONNX file; needs neither config nor checkpoint.

    Args:
        path: File that ``tools/export.py`` wrote.
        device: ``'cpu'`` or ``'cuda'``; by default CUDA if ONNX Runtime supports it.

    Attributes:
        classes: ``K`` names, in the order of the probabilities.
        clip_shape: (T, H, W) of the clips.
        temperature: What the logits in the file are divided by, or None.

    Raises:
        InputError: If ONNX Runtime is not installed, or the file was not written by
            ``tools/export.py``.
    """

    def __init__(self, path: str | Path, device: str = '') -> None:
        try:
            import onnxruntime
        except ImportError as error:
            raise InputError(
                f'{path} needs ONNX Runtime: pip install "ifdd-mmaction[export]"'
            ) from error
        if not Path(path).is_file():
            raise InputError(f'{path} does not exist: give a file of tools/export.py')
        available = onnxruntime.get_available_providers()
        providers = ['CPUExecutionProvider']
        if not device.startswith('cpu') and 'CUDAExecutionProvider' in available:
            providers.insert(0, 'CUDAExecutionProvider')
        elif device and not device.startswith('cpu'):
            raise InputError(
                f'device={device}: ONNX Runtime supports only {", ".join(available)}'
            )
        try:
            self.session = onnxruntime.InferenceSession(str(path), providers=providers)
        except Exception as error:  # ONNX Runtime's errors have no common base
            line = str(error).strip().splitlines()[0]
            raise InputError(f'{path} is not a usable ONNX file: {line}') from error
        stored = self.session.get_modelmeta().custom_metadata_map
        if missing := [key for key in METADATA if key not in stored]:
            raise InputError(
                f'{path} has no metadata {", ".join(missing)}: export it with '
                'tools/export.py'
            )
        data: dict[str, Any] = {key: json.loads(stored[key]) for key in METADATA}
        self.classes = tuple(data['classes'])
        self.clip_shape = tuple(data['clip_shape'])
        self.average_clips = data['average_clips']
        self.frames_first = data['frames_first']
        self.temperature: float | None = json.loads(stored.get('temperature', 'null'))
        self.mean, self.std = (
            np.array(data[key], np.float32)[:, None, None, None]
            for key in ('mean', 'std')
        )

    def __call__(self, clips: Tensor) -> np.ndarray:
        """Predict probabilities; see :class:`Predictor`."""
        pixels = clips.numpy()
        if self.frames_first:  # (N, M * T, C, H, W) of a Recognizer2D
            n, _, c, h, w = pixels.shape
            pixels = pixels.reshape(n, -1, self.clip_shape[0], c, h, w).swapaxes(2, 3)
        n, views = pixels.shape[:2]
        if pixels.shape[3:] != self.clip_shape:
            raise InputError(
                f'the ONNX model needs clips of {self.clip_shape} (frames, height, '
                f'width), not {tuple(pixels.shape[3:])}: use the config that it was '
                'exported with'
            )
        inputs = (pixels.reshape(n * views, *pixels.shape[2:]) - self.mean) / self.std
        (scores,) = self.session.run(None, {'clips': inputs.astype(np.float32)})
        by_clip = torch.from_numpy(scores).view(n, views, -1)
        if self.average_clips == 'prob':
            return by_clip.softmax(dim=2).mean(dim=1).numpy()
        return by_clip.mean(dim=1).softmax(dim=1).numpy()


def build_predictor(
    config: str | Path | Config,
    weights: str | Path,
    device: str = '',
    *,
    calibrated: bool = False,
) -> Predictor:
    """Return the engine that runs a file of weights.

    Args:
        config: Config of the model.
        weights: A checkpoint of MMEngine, or an ONNX file of tools/export.py, for
            which the config is not looked at.
        device: PyTorch's name of a device; the best one by default.
        calibrated: Whether to divide the logits by the checkpoint's temperature. In an
            ONNX file the division is a part of the graph or not, whatever is asked for;
            asked for and absent, it is an error.

    Raises:
        InputError: If they cannot be read, do not fit each other, or there is no
            temperature.

    Example:
        >>> from ifdd_mmaction.apis import build_predictor, get_checkpoint
        >>> weights = get_checkpoint('ifdd_vit_sample')
        >>> build_predictor('ifdd_vit_sample', weights, device='cpu').classes
        ('happy', 'sad', 'neutral', 'angry', 'surprise', 'disgust', 'fear')
    """
    if Path(weights).suffix != '.onnx':
        return TorchPredictor(config, weights, device, calibrated=calibrated)
    predictor = OnnxPredictor(weights, device)
    if calibrated and predictor.temperature is None:
        raise InputError(
            f'{weights} was exported without a temperature: export it again with '
            '--calibrated'
        )
    return predictor
