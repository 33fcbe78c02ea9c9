"""What an IFDD neck can know from its backbone, so that no config repeats it."""

from __future__ import annotations

from collections.abc import Sequence
from copy import deepcopy
from typing import Any

import torch
from mmaction.models import BaseRecognizer, Recognizer2D
from mmaction.registry import MODELS
from mmengine.config import ConfigDict
from torch import Tensor, nn

from ..errors import InputError
from ..randomness import generators_kept
from .heads import IFDDHead
from .necks.feature_pyramid import describe, to_pyramid
from .necks.ifdd_neck import IFDDNeck
from .necks.pyramid_aggregation import relative_strides

#: Libraries whose models MMAction2's recognizers reduce to a vector.
POOLED = ('timm', 'torchvision', 'mmcls', 'mmpretrain')


def infer_at_build() -> None:
    """Have every recognizer that is built infer its IFDD neck from its backbone.

    ``import ifdd_mmaction`` calls it. The Runner, MMAction2's tools, its inferencers
    and ``MODELS.build`` of any registry all end in the constructor that is wrapped
    here. Copies of the configs of neck and head are completed; the caller's stay as
    they are. Without an :class:`IFDDNeck` that has a ``clip_shape`` nothing differs.
    """
    upstream = BaseRecognizer.__init__
    if upstream.__module__ == __name__:
        return

    def __init__(
        self: BaseRecognizer,
        backbone: dict,
        cls_head: dict | None = None,
        neck: dict | None = None,
        *args: Any,
        **kwargs: Any,
    ) -> None:
        if not _inferred(neck):
            upstream(self, backbone, cls_head, neck, *args, **kwargs)
            return
        _check_backbone(backbone)
        # In upstream's order, so that a seed gives the weights that it always gave.
        upstream(self, backbone, None, None, *args, **kwargs)
        model = ConfigDict(neck=deepcopy(neck), cls_head=deepcopy(cls_head))
        two_d = isinstance(self, Recognizer2D)
        pyramid = _run_shapes(self.backbone, model.neck.clip_shape, two_d)
        _complete(model, pyramid, two_d)
        self.neck = MODELS.build(model.neck)
        if cls_head is not None:
            self.cls_head = MODELS.build(model.cls_head)

    BaseRecognizer.__init__ = __init__


def infer_neck(model: ConfigDict) -> None:
    """Write what follows from the backbone into the config of neck and head.

    Building a recognizer does so by itself; this is for code that reads the numbers.
    Does nothing without an :class:`IFDDNeck` that has a ``clip_shape``. Otherwise
    ``in_channels``, ``input_size``, ``num_segments`` (2-D recognizers), the strides of
    the aggregation and the head's ``in_channels`` are written where they are absent.

    Args:
        model: Config of a recognizer, written to in place.

    Raises:
        InputError: If a value that is given is wrong; the message has the right one.

    Example:
        >>> from mmengine.config import ConfigDict
        >>> from ifdd_mmaction.models import infer_neck
        >>> arch = dict(embed_dims=8, num_layers=2, num_heads=1, downscale_indices=[1])
        >>> model = ConfigDict(
        ...     type='Recognizer3D',
        ...     backbone=dict(type='PyramidMViT', arch=arch, out_scales=(0, 1)),
        ...     neck=dict(type='IFDDNeck', clip_shape=(16, 64, 64)),
        ... )
        >>> infer_neck(model)
        >>> model.neck.in_channels, model.neck.input_size
        ([8, 16], [8, 8, 8])
    """
    if _inferred(model.get('neck')):
        _complete(model, dry_run(model, model.neck.clip_shape), is_2d(model))


def dry_run(model: ConfigDict, clip_shape: Sequence[int]) -> list[Tensor]:
    """Return the pyramid that a recognizer's neck gets from one clip.

    The backbone is built and then run on the ``meta`` device: shapes, no arithmetic.
    Random numbers drawn afterwards are those that would have been drawn without it.

    Args:
        model: Config of a recognizer; it is left as it is.
        clip_shape: (T, H, W) of the clip that the backbone gets.

    Raises:
        InputError: If the backbone returns no pyramid; the message names the argument
            to set.
    """
    backbone = deepcopy(model.backbone)
    if 'pretrained' in backbone:
        backbone.pretrained = None  # a shape needs no weights
    _check_backbone(backbone)
    with generators_kept():
        return _run_shapes(MODELS.build(backbone), clip_shape, is_2d(model))


def is_2d(model: ConfigDict) -> bool:
    """Return whether a config's recognizer hands single frames to its backbone."""
    return _is_a(model, Recognizer2D)


def _run_shapes(
    backbone: nn.Module, clip_shape: Sequence[int], two_d: bool
) -> list[Tensor]:
    """Run a copy of a backbone on the ``meta`` device; see :func:`dry_run`."""
    if len(clip_shape) != 3:
        raise InputError(f'neck.clip_shape={tuple(clip_shape)}: give (T, H, W)')
    t, h, w = clip_shape
    # A copy of what was built: some constructors read numbers from tensors, which
    # 'meta' has none of.
    backbone = deepcopy(backbone).to('meta')
    backbone.eval()  # not chained: some backbones return None
    with torch.no_grad(), generators_kept():
        if not two_d:
            return to_pyramid(backbone(torch.empty(1, 3, t, h, w, device='meta')))
        features = backbone(torch.empty(t, 3, h, w, device='meta'))
    if isinstance(features, Tensor):
        raise InputError(
            f'the backbone returned one map, {describe(features)}, which Recognizer2D '
            'takes for a list of maps when there is a neck. Set out_indices of the '
            'backbone to at least two stages, such as (2, 3).'
        )
    if any(len(level) != t for level in features):
        raise InputError(
            f'the backbone turned {t} frames into {describe(features)}, which '
            'Recognizer2D would mix between clips: set temporal_pool=False of the '
            'backbone.'
        )
    return to_pyramid([level[None].transpose(1, 2) for level in features])


def _check_backbone(backbone: dict) -> None:
    kind = backbone['type']
    module = kind if isinstance(kind, str) else kind.__module__
    if module.split('.')[0] in POOLED and '.' in module:
        raise InputError(
            f'backbone.type={kind!r}: the recognizers of MMAction2 reduce what such a '
            "model returns to one cell. Take type='TimmPyramid', model_name=..."
        )


def _is_a(config: dict, kind: type) -> bool:
    """Return whether a config is of a class or of one derived from it."""
    found = config.get('type')
    found = MODELS.get(found) if isinstance(found, str) else found
    return isinstance(found, type) and issubclass(found, kind)


def _inferred(neck: dict | None) -> bool:
    return bool(neck and neck.get('clip_shape') and _is_a(neck, IFDDNeck))


def _complete(model: ConfigDict, pyramid: list[Tensor], two_d: bool) -> None:
    """Write what a pyramid tells into the configs of neck and head."""
    neck = model.neck
    aggregation = neck.get('aggregation', {})
    if aggregation is None:
        pyramid = pyramid[-1:]
    else:
        pyramid = [pyramid[i] for i in _stages(aggregation, pyramid)]
        if len(pyramid) > 1:
            strides = relative_strides([level.shape[3:] for level in pyramid])
            aggregation = neck.setdefault('aggregation', ConfigDict())
            _settle(aggregation, 'neck.aggregation', 'strides', strides)
    last = pyramid[-1]
    channels = (aggregation or {}).get('out_channels') or last.shape[1]
    _settle(neck, 'neck', 'in_channels', [level.shape[1] for level in pyramid])
    _settle(neck, 'neck', 'input_size', list(last.shape[2:]))
    if two_d:
        _settle(neck, 'neck', 'num_segments', neck.clip_shape[0])
    if model.get('cls_head') and _is_a(model.cls_head, IFDDHead):
        _settle(model.cls_head, 'cls_head', 'in_channels', channels)


def _stages(aggregation: dict, pyramid: list[Tensor]) -> Sequence[int]:
    stages = aggregation.get('stages') or range(len(pyramid))
    if max(stages) >= len(pyramid):
        raise InputError(
            f'neck.aggregation.stages={list(stages)}, but the backbone returns '
            f'{len(pyramid)} level(s): {describe(pyramid)}. Set out_indices (MViT: '
            'out_scales) of the backbone.'
        )
    return stages


def _settle(config: ConfigDict, path: str, key: str, value: Any) -> None:
    given = config.get(key)
    if given is None:
        config[key] = value
        return
    given = list(given) if isinstance(given, Sequence) else given
    if given != value:
        raise InputError(
            f'model.{path}.{key}={given}, but with this backbone and clip_shape it is '
            f'{value}: write that, or leave {key} out to have it inferred.'
        )
