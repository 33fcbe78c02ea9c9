"""From batches of the data loader to inputs of the model, on the device."""

from __future__ import annotations

from typing import Any

from mmaction.models import ActionDataPreprocessor
from mmaction.registry import MODELS
from torch import Tensor

from .color_jitter import ColorJitter


@MODELS.register_module()
class ClipDataPreprocessor(ActionDataPreprocessor):
    """MMAction2's preprocessor, with color jitter for training.

    Clips stay uint8 until they are on the device, and colors are changed there: on a
    CPU core, color jitter takes several times as long as all other transforms together.

    Args:
        color_jitter: Arguments of :class:`ColorJitter`; by default none is applied. It
            is applied before normalization and blending, and not in testing.
        non_blocking: Copy clips to a GPU without waiting, where the loader has them in
            page-locked memory (``pin_memory=True``); MMAction2's waits.
        kwargs: See ``ActionDataPreprocessor``.

    Example:
        >>> from ifdd_mmaction.datasets.transforms import ClipDataPreprocessor
        >>> from mmaction.structures import ActionDataSample
        >>> preprocessor = ClipDataPreprocessor(
        ...     mean=[127.5] * 3, std=[127.5] * 3, format_shape='NCTHW',
        ...     color_jitter=dict(brightness=0.4, hue=0.1),
        ... )
        >>> clip = torch.full((1, 3, 8, 32, 32), 255, dtype=torch.uint8)
        >>> batch = dict(inputs=[clip], data_samples=[ActionDataSample()])
        >>> inputs = preprocessor(batch)['inputs']
        >>> inputs.shape, inputs.max()
        (torch.Size([1, 1, 3, 8, 32, 32]), tensor(1.))
    """

    def __init__(
        self,
        *args: Any,
        color_jitter: dict | None = None,
        non_blocking: bool = True,
        **kwargs: Any,
    ) -> None:
        super().__init__(*args, **kwargs)
        # ActionDataPreprocessor has no argument for what BaseDataPreprocessor takes.
        self._non_blocking = non_blocking
        self.color_jitter = ColorJitter(**color_jitter) if color_jitter else None

    def preprocess(
        self, inputs: list[Tensor], data_samples: list, training: bool = False
    ) -> tuple:
        """Jitter, stack, normalize and blend clips (M, 3, T, H, W) of values 0..255."""
        if training and self.color_jitter is not None:
            inputs = [self.color_jitter(clip) for clip in inputs]
        return super().preprocess(inputs, data_samples, training)
