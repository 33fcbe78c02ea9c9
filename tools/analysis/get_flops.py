"""Parameters and multiply-accumulates of configs, with the IFDD neck and without it.

``python tools/analysis/get_flops.py CONFIG ...``

The head is counted, which MMAction2's own tool leaves out, and so are attention
products. Without the neck the head follows the pooled last stage of the backbone.
Nothing is computed: fake tensors, which are shapes alone, run through the model. Also
prints what the neck infers from the backbone. Exit codes: 0 counted, 2 wrong arguments.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

import torch
from mmaction.registry import MODELS
from mmengine.config import Config, ConfigDict
from mmengine.registry import init_default_scope
from torch import nn
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.utils.flop_counter import FlopCounterMode

from ifdd_mmaction.models import infer_neck
from ifdd_mmaction.models.infer_neck import is_2d
from ifdd_mmaction.models.necks import to_pyramid

#: What :func:`infer_neck` writes, in the order of a config.
INFERRED = ('in_channels', 'input_size', 'num_segments')


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description='Parameters and GMAC of configs')
    parser.add_argument('configs', nargs='+', type=Path)
    parser.add_argument(
        '--clip-shape',
        nargs=3,
        type=int,
        metavar=('T', 'H', 'W'),
        help="clip of a model without a neck's clip_shape (default: 16 224 224)",
    )
    return parser.parse_args(argv)


def prepare(model: ConfigDict, clip_shape: Sequence[int] | None = None) -> list[int]:
    """Infer the neck of a model's config, in place; return its clip's (T, H, W)."""
    neck = model.get('neck') or ConfigDict()
    shape = list(clip_shape or neck.get('clip_shape') or (16, 224, 224))
    if neck.get('type') == 'IFDDNeck':
        neck.clip_shape = shape
        infer_neck(model)
    if 'pretrained' in model.backbone:
        model.backbone.pretrained = None  # nothing to download
    return shape


def cost(model: ConfigDict, clip_shape: Sequence[int]) -> dict[str, list[float]]:
    """Count a recognizer with its neck and without.

    Returns:
        ``params`` (millions) and ``gmac`` (of one clip), each ``[with, without]``.
    """
    t, h, w = clip_shape
    recognizer = MODELS.build(model)
    recognizer.eval()
    shape = (t, 3, h, w) if is_2d(model) else (1, 3, t, h, w)
    head = recognizer.cls_head
    with torch.no_grad(), FakeTensorMode(allow_non_fake_inputs=True):
        clip = torch.empty(1, *shape)
        with FlopCounterMode(display=False) as whole:
            feature, _ = recognizer.extract_feat(clip, stage='neck')
            head(feature)
        with FlopCounterMode(display=False) as backbone:
            features = recognizer.backbone(clip.flatten(0, 1))
    if is_2d(model):
        channels = features[-1].shape[1]
    else:
        channels = to_pyramid(features)[-1].shape[1]
    classifier = nn.Linear(channels, head.num_classes)
    alone = channels * head.num_classes + backbone.get_total_flops() / 2
    return dict(
        params=[
            _millions(recognizer),
            _millions(recognizer.backbone) + _millions(classifier),
        ],
        gmac=[whole.get_total_flops() / 2e9, alone / 1e9],
    )


def _millions(module: nn.Module) -> float:
    return sum(p.numel() for p in module.parameters()) / 1e6


def main() -> None:
    args = parse_args()
    for path in args.configs:
        cfg = Config.fromfile(path)
        init_default_scope(cfg.get('default_scope', 'mmaction'))
        shape = prepare(cfg.model, args.clip_shape)
        counted = cost(cfg.model, shape)
        print(f'{path}, clips of {shape}')
        for key, unit in (('params', 'M parameters'), ('gmac', 'GMAC')):
            whole, alone = counted[key]
            print(f'  {whole:8.2f} {unit}; without the neck {alone:.2f}')
        neck = cfg.model.get('neck') or {}
        lines = [f'{key}={neck[key]}' for key in INFERRED if neck.get(key)]
        strides = (neck.get('aggregation') or {}).get('strides')
        lines += [f'aggregation=dict(strides={strides})'] if strides else []
        print('  neck: ' + ', '.join(lines))


if __name__ == '__main__':
    main()
