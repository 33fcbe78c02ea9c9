"""What an IFDD neck can know from its backbone, so that no config repeats it."""

from __future__ import annotations

from collections.abc import Sequence
from copy import deepcopy
from typing import Any

import torch
from mmaction.models import Recognizer2D
from mmaction.registry import MODELS
from mmengine.config import ConfigDict
from torch import Tensor

from ..errors import InputError
from .necks.feature_pyramid import describe, to_pyramid
from .necks.pyramid_aggregation import relative_strides


def dry_run(model: ConfigDict, clip_shape: Sequence[int]) -> list[Tensor]:
    """Return the pyramid that a recognizer's neck gets from one clip.

    The backbone is built and then run on the ``meta`` device: shapes, no arithmetic.

    Args:
        model: Config of a recognizer; it is left as it is.
        clip_shape: (T, H, W) of the clip that the backbone gets.

    Raises:
        InputError: If the backbone returns no pyramid; the message names the argument
            to set.
    """
    t, h, w = clip_shape
    backbone_cfg = deepcopy(model.backbone)
    if 'pretrained' in backbone_cfg:
        backbone_cfg.pretrained = None  # a shape needs no weights
    if str(backbone_cfg.type).startswith(
        ('timm.', 'torchvision.', 'mmcls.', 'mmpretrain.')
    ):
        raise InputError(
            f'backbone.type={backbone_cfg.type!r}: Recognizer2D reduces what such a '
            "model returns to one cell. Take type='TimmPyramid', model_name=..."
        )
    # Some constructors read numbers from tensors, which 'meta' has none of: build
    # first, move then.
    backbone = MODELS.build(backbone_cfg).to('meta')
    backbone.eval()  # not chained: some backbones return None
    with torch.no_grad():
        if not is_2d(model):
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


def is_2d(model: ConfigDict) -> bool:
    """Return whether a config's recognizer hands single frames to its backbone."""
    kind = MODELS.get(model.type) if isinstance(model.type, str) else model.type
    return isinstance(kind, type) and issubclass(kind, Recognizer2D)


def infer_neck(model: ConfigDict) -> None:
    """Write what follows from the backbone into the config of neck and head.

    Does nothing without an ``IFDDNeck`` that has a ``clip_shape``. Otherwise
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
    neck = model.get('neck')
    if not neck or neck.type != 'IFDDNeck' or not neck.get('clip_shape'):
        return
    pyramid = dry_run(model, neck.clip_shape)
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
    if is_2d(model):
        _settle(neck, 'neck', 'num_segments', neck.clip_shape[0])
    if model.get('cls_head') and model.cls_head.type == 'IFDDHead':
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
