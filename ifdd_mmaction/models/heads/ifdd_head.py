"""The recognition head of IFDD."""

from __future__ import annotations

from typing import Any

from mmaction.models.heads import BaseHead
from mmaction.registry import MODELS
from mmengine.model.weight_init import trunc_normal_
from torch import Tensor, nn

from ..losses import DisentanglementLoss


@MODELS.register_module()
class IFDDHead(BaseHead):
    """Classify the disentangled dynamics: dropout, then one linear layer.

    It takes the vector of :class:`IFDDNeck`, or any feature map, which it averages
    over time and space. The neck passes its context gap in ``loss_aux``.

    Args:
        num_classes: Number of expression classes.
        in_channels: Channels of the feature.
        loss_cls: The loss; :class:`DisentanglementLoss` by default.
        dropout_ratio: Dropout before the linear layer.
        init_std: Standard deviation of the linear layer's initial weights.
        average_clips: ``'score'`` averages the logits of several views, as the
            authors do, ``'prob'`` their probabilities.
        topk: Accuracies to log in training.
        kwargs: Of MMAction2's ``BaseHead``, such as ``label_smooth_eps``.

    Example:
        >>> from ifdd_mmaction.models.heads import IFDDHead
        >>> head = IFDDHead(num_classes=7, in_channels=32)
        >>> head(torch.rand(2, 32, 1, 1, 1)).shape  # the feature of IFDDNeck
        torch.Size([2, 7])
    """

    def __init__(
        self,
        num_classes: int,
        in_channels: int,
        loss_cls: dict | None = None,
        dropout_ratio: float = 0.5,
        init_std: float = 0.01,
        average_clips: str | None = 'score',
        topk: int | tuple[int, ...] = (1,),
        **kwargs: Any,
    ) -> None:
        loss_cls = loss_cls or dict(type='DisentanglementLoss')
        super().__init__(
            num_classes,
            in_channels,
            loss_cls=loss_cls,
            average_clips=average_clips,
            topk=topk,
            **kwargs,
        )
        self.dropout = nn.Dropout(dropout_ratio)
        self.fc_cls = nn.Linear(in_channels, num_classes)
        self.init_std = init_std

    def init_weights(self) -> None:
        """Draw truncated normal weights, set the bias to zero."""
        super().init_weights()
        trunc_normal_(self.fc_cls.weight, std=self.init_std)
        nn.init.zeros_(self.fc_cls.bias)

    def forward(self, x: Tensor, **kwargs: Any) -> Tensor:
        """Map features ``(N, C, ...)`` to logits ``(N, K)``.

        Raises:
            ValueError: If C is not ``in_channels``.
        """
        if x.shape[1] != self.in_channels:
            raise ValueError(
                f'IFDDHead(in_channels={self.in_channels}) got features of shape '
                f'{tuple(x.shape)}: set in_channels to {x.shape[1]}.'
            )
        vector = x.flatten(2).mean(2) if x.dim() > 2 else x
        return self.fc_cls(self.dropout(vector))

    def loss(
        self,
        feats: Tensor,
        data_samples: list,
        loss_aux: dict | None = None,
        **kwargs: Any,
    ) -> dict[str, Tensor]:
        """Compute ``loss_cls`` and, with an IFDD neck, ``loss_context``, both scalars.

        ``context_gap`` is taken out of ``loss_aux``: it is a feature for this loss,
        and the recognizer logs what remains in ``loss_aux``.
        """
        gap = (loss_aux or {}).pop('context_gap', None)
        losses = super().loss(feats, data_samples, **kwargs)
        if gap is not None and isinstance(self.loss_cls, DisentanglementLoss):
            losses['loss_context'] = self.loss_cls.context_loss(gap)
        return losses
