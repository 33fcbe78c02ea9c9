"""The neck of IFDD: aggregation, split and lifting in a row."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, NamedTuple

from mmaction.registry import MODELS
from mmengine.model import BaseModule
from torch import Tensor

from ...deprecations import current_split
from ...errors import InputError
from .feature_pyramid import to_pyramid
from .interval_split import IntervalSplit
from .ladm import context_gap
from .lifting import Lifting, NoLifting
from .temporal_split import SplitIndexes, TemporalSplit

Part = Mapping[str, Any] | None

#: Immutable, because they are defaults of arguments.
AGGREGATION = MappingProxyType(dict(type='PyramidAggregation'))
SPLIT = MappingProxyType(dict(type='ISSM'))
LIFTING = MappingProxyType(dict(type='LADM'))


class Disentanglement(NamedTuple):
    """What an :class:`IFDDNeck` computes of N clips; T, H and W are those of X.

    Attributes:
        x: Aggregated feature X, ``(N, C, T, H, W)``.
        indexes: The indexes of both groups and the correlation of the frames.
        frames_s: Frames of X that X_S reads, ``(N, ceil(T/2))``, from 0 to T - 1.
        frames_d: The same of X_D.
        x_s: Context group X_S, ``(N, C, ceil(T/2), H, W)``.
        x_d: Dynamics group X_D, of that shape too.
        y_s: Fine context Y_S, of that shape too.
        y_d: Disentangled dynamics Y_D, of that shape too.
        vector: The feature that the head classifies, ``(N, C)``.
    """

    x: Tensor
    indexes: SplitIndexes
    frames_s: Tensor
    frames_d: Tensor
    x_s: Tensor
    x_d: Tensor
    y_s: Tensor
    y_d: Tensor
    vector: Tensor


@MODELS.register_module()
class IFDDNeck(BaseModule):
    """Chain pyramid aggregation, ISSM and LADM behind any backbone.

    ::

        pyramid -> aggregation -> X -> split -> X_S, X_D -> lifting -> vector, Y_S
                                  +---------- context gap -----------------------+

    It works under MMAction2's stock ``Recognizer3D`` and ``Recognizer2D``, with their
    stock heads too: the feature is one tensor ``(N, C, 1, 1, 1)``, and the context gap
    travels to :class:`IFDDHead` in ``loss_aux``.

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
        aggregation: Config of the module that joins the stages, PyramidAggregation
            unless it has a ``type``.
        split: Config of the temporal split, likewise ISSM.
        lifting: Config of the lifting step, likewise LADM.
        relaxed: Whether the context constraint compares averages only.
        frozen_aggregation: Whether the aggregation is used as it is, without training,
            as an :class:`EvidenceSplit` needs it. The first of two trainings,
            ``configs/_base_/static_first``, takes this away.
        num_segments: Frames of a clip, under ``Recognizer2D`` only; see
            :func:`to_pyramid`.
        clip_shape: (T, H, W) of the clip that the backbone gets. From it the
            recognizer that the neck is built for infers ``in_channels``,
            ``input_size``, ``num_segments`` and the aggregation's strides; see
            :func:`ifdd_mmaction.models.infer_neck`. The neck itself does not use it.
        init_cfg: Initial weights, as of any ``mmengine.model.BaseModule``.

    ``in_channels``, ``num_frames`` and ``input_size`` are filled into the three
    configs, so that they need to be written once.

    Raises:
        InputError: If ``in_channels`` or ``input_size`` is neither given nor inferred,
            or there is no aggregation that could be frozen.

    Example:
        >>> from ifdd_mmaction.models.necks import IFDDNeck
        >>> neck = IFDDNeck(in_channels=[16, 32], input_size=(8, 7, 7))
        >>> pyramid = [torch.rand(2, 16, 8, 14, 14), torch.rand(2, 32, 8, 7, 7)]
        >>> feature, loss_aux = neck(pyramid)
        >>> feature.shape
        torch.Size([2, 32, 1, 1, 1])
        >>> loss_aux['context_gap'].shape
        torch.Size([2, 7, 7])
        >>> neck.disentangle(pyramid).y_d.shape
        torch.Size([2, 32, 4, 7, 7])
    """

    def __init__(
        self,
        in_channels: Sequence[int] | None = None,
        input_size: Sequence[int] | None = None,
        aggregation: Part = AGGREGATION,
        split: Part = SPLIT,
        lifting: Part = LIFTING,
        relaxed: bool = True,
        frozen_aggregation: bool = False,
        num_segments: int | None = None,
        clip_shape: Sequence[int] | None = None,
        init_cfg: dict | None = None,
    ) -> None:
        super().__init__(init_cfg=init_cfg)
        if in_channels is None or input_size is None:
            raise InputError(
                f'IFDDNeck(in_channels={in_channels}, input_size={input_size}): give '
                'clip_shape=(T, H, W) of the clips to the neck of a recognizer, which '
                'infers both, or write both: `python tools/analysis/get_flops.py '
                'CONFIG` prints them'
            )
        if frozen_aggregation and aggregation is None:
            raise InputError(
                f'IFDDNeck(aggregation={aggregation}, frozen_aggregation='
                f'{frozen_aggregation}): there is no aggregation to freeze: give one, '
                'or frozen_aggregation=False'
            )
        stages = list(in_channels)
        channels, size = stages[-1], tuple(input_size)
        self.relaxed = relaxed
        self.frozen_aggregation = frozen_aggregation
        self.num_segments = num_segments
        self.aggregation: BaseModule | None = None
        self.split: TemporalSplit | None = None
        self.lifting: Lifting | None = None
        if aggregation is not None:
            self.aggregation = MODELS.build(
                {**AGGREGATION, 'in_channels': stages, **aggregation}
            )
            channels = self.aggregation.out_channels
            if frozen_aggregation:
                self.aggregation.requires_grad_(False)
                self.aggregation.eval()
        if split is not None:
            frames = dict(in_channels=channels, num_frames=size[0])
            self.split = MODELS.build({**SPLIT, **frames, **current_split(split)})
        elif lifting is not None:
            self.split = IntervalSplit(channels, num_frames=size[0])
        if lifting is not None:
            groups = dict(in_channels=channels, input_size=size)
            self.lifting = MODELS.build({**LIFTING, **groups, **lifting})
        elif split is not None:
            self.lifting = NoLifting(channels, input_size=size)

    def train(self, mode: bool = True) -> IFDDNeck:
        """Set the mode of training, which a frozen aggregation does not follow."""
        super().train(mode)
        if self.frozen_aggregation and self.aggregation is not None:
            self.aggregation.eval()
        return self

    def forward(
        self, x: Tensor | Sequence[Tensor], data_samples: list | None = None
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """Turn what a backbone returned into the feature of the dynamics.

        Returns:
            The feature ``(N, C, 1, 1, 1)``, and ``dict(context_gap=(N, ...))``; with
            neither split nor lifting ``(N, C, T, H, W)`` and an empty dict.
        """
        feature = self._aggregate(x)
        if self.split is None or self.lifting is None:
            return feature, {}
        x_s, x_d = self.split(feature)  # (N, C, T / 2, H, W) each
        vector, y_s = self.lifting(x_s, x_d)
        gap = context_gap(feature, y_s, self.relaxed)
        return vector[:, :, None, None, None], dict(context_gap=gap)

    def disentangle(self, x: Tensor | Sequence[Tensor]) -> Disentanglement:
        """Return all that the neck computes on the way to its feature, for analysis.

        Args:
            x: What a backbone returned, maps ``(N, C_i, T, H_i, W_i)``.

        Raises:
            InputError: If the neck has neither split nor lifting.
        """
        if self.split is None or self.lifting is None:
            raise InputError(
                f'IFDDNeck(split={self.split}, lifting={self.lifting}) has neither '
                'split nor lifting, so there is nothing to disentangle: set one.'
            )
        feature = self._aggregate(x)
        x_s, x_d = self.split(feature)
        y_s, y_d = self.lifting.lift(x_s, x_d)
        indexes = self.split.split_indexes(feature)
        return Disentanglement(
            x=feature,
            indexes=indexes,
            frames_s=self.split.frames_read(indexes.static),
            frames_d=self.split.frames_read(indexes.dynamic),
            x_s=x_s,
            x_d=x_d,
            y_s=y_s,
            y_d=y_d,
            vector=self.lifting.to_vector(y_d),
        )

    def _aggregate(self, x: Tensor | Sequence[Tensor]) -> Tensor:
        pyramid = to_pyramid(x, self.num_segments)
        return pyramid[-1] if self.aggregation is None else self.aggregation(pyramid)
