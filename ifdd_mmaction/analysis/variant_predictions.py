"""Probabilities of clips, with the frames that the split of an IFDD neck reads."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any

import numpy as np
import torch
from mmaction.models.recognizers import BaseRecognizer
from torch import Tensor

from ..evaluation import to_probabilities
from ..models.necks import IFDDNeck


class Predictor:
    """Predict clips in batches, with any recognizer.

    Args:
        model: In evaluation mode.
        batch_size: Clips of a batch.

    Attributes:
        model: The recognizer.
        split_frames: Frames of the feature that the neck splits; None without a split.
    """

    def __init__(self, model: BaseRecognizer, batch_size: int) -> None:
        self.model, self.batch_size = model, batch_size
        neck = getattr(model, 'neck', None)
        splits = isinstance(neck, IFDDNeck) and neck.split is not None
        self.neck: Any = neck if splits else None
        self.split_frames = neck.split.num_frames if splits else None  # type: ignore[union-attr]

    def __call__(
        self, clips: Iterable[tuple[str, Tensor]], sample: Any
    ) -> Iterator[tuple[str, np.ndarray, np.ndarray | None]]:
        """Yield name, probabilities and positions of clips.

        Args:
            clips: Names and clips of one shape, as the pipeline packs them: ``(M, C, T,
                H, W)`` or ``(M * T, C, H, W)``.
            sample: Data sample of these clips.

        Returns:
            Name, probabilities ``(K,)`` and the positions of the dynamics and the
            context group in the frames of the feature, ``(2, n)``, those of all views.
        """
        clips = iter(clips)
        while batch := list(islice(clips, self.batch_size)):
            samples = [sample.clone() for _ in batch]
            inputs = [clip for _, clip in batch]
            scores, positions = self._predict(inputs, samples)
            for i, (name, _) in enumerate(batch):
                yield name, scores[i], None if positions is None else positions[i]

    @torch.no_grad()
    def _predict(
        self, inputs: list[Tensor], samples: list
    ) -> tuple[list[np.ndarray], np.ndarray | None]:
        """Return probabilities ``(K,)`` and positions ``(N, 2, n)``."""
        features: list[Any] = []
        handle = self.neck and self.neck.register_forward_pre_hook(
            # The views of a clip may go through the model one after the other.
            lambda _, args: features.append(args[0])
        )
        try:
            found = self.model.test_step(dict(inputs=inputs, data_samples=samples))
        finally:
            if handle:
                handle.remove()
        scores = [clip_probabilities(sample.pred_score) for sample in found]
        if not self.neck:
            return scores, None
        parts = [self.neck.disentangle(feature) for feature in features]
        both = [
            torch.cat([getattr(part, name) for part in parts])
            for name in ('frames_d', 'frames_s')
        ]
        views = [frames.reshape(len(inputs), -1) for frames in both]
        return scores, torch.stack(views, dim=1).float().cpu().numpy()


def clip_probabilities(scores: Tensor) -> np.ndarray:
    """Return the probabilities of a clip, whatever the head averages.

    MMAction2's heads give probabilities, logits (``average_clips='score'``) or the
    logits of each view (None).

    Args:
        scores: ``(K,)`` or ``(views, K)``.

    Returns:
        ``(K,)``.

    Example:
        >>> from ifdd_mmaction.analysis import clip_probabilities
        >>> clip_probabilities(torch.tensor([0.25, 0.75]))
        array([0.25, 0.75])
        >>> clip_probabilities(torch.tensor([[2.0, 2.0], [-1.0, -1.0]]))
        array([0.5, 0.5])
    """
    views = scores.detach().double().reshape(-1, scores.shape[-1])  # (views, K)
    return to_probabilities(views.cpu().numpy()).mean(axis=0)
