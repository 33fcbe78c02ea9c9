"""Prediction with an exported ONNX model in ONNX Runtime."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ..errors import InputError

#: Keys that tools/export.py writes to the metadata of the file, with JSON values.
METADATA = ('classes', 'mean', 'std', 'clip_shape', 'average_clips', 'frames_first')


class OnnxPredictor:
    """A recognizer in an ONNX file; needs neither config nor checkpoint.

    Args:
        path: File that ``tools/export.py`` wrote.
        device: ``'cpu'`` or ``'cuda'``; by default CUDA if ONNX Runtime supports it.

    Attributes:
        classes: ``K`` names, in the order of the probabilities.
        clip_shape: (T, H, W) of the clips.

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
