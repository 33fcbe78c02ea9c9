"""The neck of IFDD: aggregation, split and lifting in a row."""

from __future__ import annotations

from collections.abc import Sequence

from mmaction.registry import MODELS
from mmengine.model import BaseModule
from torch import Tensor

from .feature_pyramid import to_pyramid
from .ladm import context_gap


@MODELS.register_module()
class IFDDNeck(BaseModule):
    """Chain pyramid aggregation, ISSM and LADM behind any backbone.

    ::

        pyramid -> aggregation -> X -> split -> X_S, X_D -> lifting -> vector, Y_S
                                  +---------- context gap -----------------------+

    It works under MMAction2's stock ``Recognizer3D``, with its stock heads too: the
    feature is one tensor ``(N, C, 1, 1, 1)``, and the context gap travels to
    :class:`IFDDHead` in ``loss_aux``.

    Args:
        in_channels: Channels of each stage of the backbone that is used.
        input_size: (T, H, W) of the last stage.
        aggregation: Config of the module that joins the stages.
        split: Config of the temporal split.
        lifting: Config of the lifting step.
        relaxed: Whether the context constraint compares averages only.

    ``in_channels``, ``num_frames`` and ``input_size`` are filled into the three
    configs, so that they need to be written once.
    """

    def __init__(
        self,
        in_channels: Sequence[int],
        input_size: Sequence[int],
        aggregation: dict | None = None,
        split: dict | None = None,
        lifting: dict | None = None,
        relaxed: bool = True,
        init_cfg: dict | None = None,
    ) -> None:
        super().__init__(init_cfg=init_cfg)
        channels = list(in_channels)
        size = tuple(input_size)
        aggregation = aggregation or dict(type='PyramidAggregation')
        self.aggregation = MODELS.build({'in_channels': channels, **aggregation})
        split = split or dict(type='ISSM')
        self.split = MODELS.build(
            {'in_channels': channels[-1], 'num_frames': size[0], **split}
        )
        lifting = lifting or dict(type='LADM')
        self.lifting = MODELS.build(
            {'in_channels': channels[-1], 'input_size': size, **lifting}
        )
        self.relaxed = relaxed

    def forward(
        self, x: Tensor | Sequence[Tensor], data_samples: list | None = None
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """Turn what a backbone returned into the feature of the dynamics.

        Returns:
            The feature ``(N, C, 1, 1, 1)``, and ``dict(context_gap=(N, ...))``.
        """
        aggregated = self.aggregation(to_pyramid(x))  # (N, C, T, H, W)
        x_s, x_d = self.split(aggregated)  # (N, C, T / 2, H, W) each
        vector, y_s = self.lifting(x_s, x_d)
        gap = context_gap(aggregated, y_s, self.relaxed)
        return vector[:, :, None, None, None], dict(context_gap=gap)
