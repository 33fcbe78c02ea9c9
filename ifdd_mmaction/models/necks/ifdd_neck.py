"""The neck of IFDD: aggregation, split and lifting in a row."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

from mmaction.registry import MODELS
from mmengine.model import BaseModule
from torch import Tensor

from .feature_pyramid import to_pyramid
from .ladm import context_gap
from .lifting import NoLifting
from .splits import IntervalSplit

Part = Mapping[str, Any] | None

#: Immutable, because they are defaults of arguments.
AGGREGATION = MappingProxyType(dict(type='PyramidAggregation'))
SPLIT = MappingProxyType(dict(type='ISSM'))
LIFTING = MappingProxyType(dict(type='LADM'))


@MODELS.register_module()
class IFDDNeck(BaseModule):
    """Chain pyramid aggregation, ISSM and LADM behind any backbone.

    ::

        pyramid -> aggregation -> X -> split -> X_S, X_D -> lifting -> vector, Y_S
                                  +---------- context gap -----------------------+

    It works under MMAction2's stock ``Recognizer3D``, with its stock heads too: the
    feature is one tensor ``(N, C, 1, 1, 1)``, and the context gap travels to
    :class:`IFDDHead` in ``loss_aux``.

    Each part can be left out with ``None``, as in the paper's ablation:

    ===========  =====================================================================
    aggregation  the last stage of the backbone is X
    split        even and odd frames (:class:`IntervalSplit`)
    lifting      X_D is compressed as it is, Y_S is X_S (:class:`NoLifting`)
    both         the feature is X itself, for the head to pool; no context gap
    ===========  =====================================================================

    The context gap serves the loss alone. An LADM that predicts first makes Y_S for
    nothing else, so the gap alone trains its ``updater``: an :class:`IFDDHead` with a
    :class:`DisentanglementLoss` does so at any ``loss_weight``, 0 included. Behind
    another head or loss the updater gets no gradient, and DistributedDataParallel
    needs ``find_unused_parameters=True``. No other choice leaves parameters untrained.

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
        aggregation: Part = AGGREGATION,
        split: Part = SPLIT,
        lifting: Part = LIFTING,
        relaxed: bool = True,
        init_cfg: dict | None = None,
    ) -> None:
        super().__init__(init_cfg=init_cfg)
        stages = list(in_channels)
        channels, size = stages[-1], tuple(input_size)
        self.relaxed = relaxed
        self.aggregation: BaseModule | None = None
        self.split: BaseModule | None = None
        self.lifting: BaseModule | None = None
        if aggregation is not None:
            self.aggregation = MODELS.build({'in_channels': stages, **aggregation})
        if split is not None:
            frames = dict(in_channels=channels, num_frames=size[0])
            self.split = MODELS.build({**frames, **split})
        elif lifting is not None:
            self.split = IntervalSplit(channels, num_frames=size[0])
        if lifting is not None:
            groups = dict(in_channels=channels, input_size=size)
            self.lifting = MODELS.build({**groups, **lifting})
        elif split is not None:
            self.lifting = NoLifting(channels, input_size=size)

    def forward(
        self, x: Tensor | Sequence[Tensor], data_samples: list | None = None
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """Turn what a backbone returned into the feature of the dynamics.

        Returns:
            The feature ``(N, C, 1, 1, 1)``, and ``dict(context_gap=(N, ...))``; with
            neither split nor lifting ``(N, C, T, H, W)`` and an empty dict.
        """
        pyramid = to_pyramid(x)
        feature = pyramid[-1] if self.aggregation is None else self.aggregation(pyramid)
        if self.split is None or self.lifting is None:
            return feature, {}
        x_s, x_d = self.split(feature)  # (N, C, T / 2, H, W) each
        vector, y_s = self.lifting(x_s, x_d)
        gap = context_gap(feature, y_s, self.relaxed)
        return vector[:, :, None, None, None], dict(context_gap=gap)
