"""Grad-CAM of the context and the dynamics feature of the neck."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from mmaction.models.recognizers import BaseRecognizer
from torch import Tensor

from .disentangle import disentangle


class GradCAM(NamedTuple):
    """Grad-CAM of N clips; T, H and W are those of X.

    Attributes:
        y_d: Map of the dynamics Y_D, ``(N, ceil(T/2), H, W)``, not negative, not
            normalized.
        y_s: Map of the context Y_S, of the same shape; None if the score does not
            depend on Y_S: without a lifting, or with one that predicts first.
        scores: Scores of the head, before softmax, ``(N, K)``.
        frames_d: Sampling positions of Y_D in X, ``(N, ceil(T/2))``.
        frames_s: Sampling positions of Y_S in X, ``(N, ceil(T/2))``.
    """

    y_d: Tensor
    y_s: Tensor | None
    scores: Tensor
    frames_d: Tensor
    frames_s: Tensor


def grad_cam(
    model: BaseRecognizer, inputs: Tensor, target: Sequence[int] | Tensor
) -> GradCAM:
    """Compute Grad-CAM (Selvaraju et al. 2017) of Y_D and Y_S for a class of each clip.

    The maps are of the neck, not of a layer of the backbone, so any backbone can be
    used. Channels are weighted by the mean of their gradient over time and space::

        CAM[t, h, w] = ReLU(sum_c mean_thw(dscore / dY[c]) Y[c, t, h, w])

    Args:
        model: A recognizer with an :class:`IFDDNeck`, in ``eval()`` mode.
        inputs: Preprocessed clips, as for :func:`disentangle`; N * views = N clips.
        target: Class index of each clip, ``(N,)``.

    Raises:
        InputError: If the model has no such neck, or one with neither split nor
            lifting.

    Example:
        >>> from ifdd_mmaction.analysis import grad_cam
        >>> from ifdd_mmaction.apis import get_model
        >>> model = get_model('ifdd_vit_sample')
        >>> cam = grad_cam(model, torch.rand(1, 1, 3, 16, 64, 64), target=[0])
        >>> cam.y_d.shape, cam.scores.shape
        (torch.Size([1, 4, 4, 4]), torch.Size([1, 7]))
    """
    with torch.enable_grad():
        parts = disentangle(model, inputs)
        y_d, y_s = parts.y_d, parts.y_s
        scores = model.cls_head(parts.vector[:, :, None, None, None])
        index = torch.as_tensor(target, device=scores.device)
        wanted = scores.gather(1, index[:, None]).sum()
        slope_d, slope_s = torch.autograd.grad(wanted, [y_d, y_s], allow_unused=True)
    return GradCAM(
        _cam(y_d, slope_d),
        None if slope_s is None else _cam(y_s, slope_s),
        scores.detach(),
        parts.frames_d.detach(),
        parts.frames_s.detach(),
    )


def _cam(feature: Tensor, slope: Tensor) -> Tensor:
    """Return ``(N, T, H, W)`` of a feature and its gradient ``(N, C, T, H, W)``."""
    weights = slope.mean(dim=(2, 3, 4), keepdim=True)
    return (weights * feature.detach()).sum(dim=1).relu()
