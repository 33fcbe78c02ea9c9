"""Parameters and multiply-accumulates of configs, with the IFDD neck and without it.

``python tools/analysis/get_flops.py CONFIG ...``

The head is counted, which MMAction2's own tool leaves out, and so are attention
products, of a fused backbone those of MMAction2's own attention, whose function it
computes. Without the neck the head follows the pooled last stage of the backbone.
Nothing is computed: fake tensors, which are shapes alone, run through the model. Also
prints what the neck infers from the backbone. Exit codes: 0 counted, 2 wrong arguments.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from copy import deepcopy
from inspect import signature
from pathlib import Path

import torch
from mmaction.registry import MODELS
from mmengine.config import Config, ConfigDict
from mmengine.registry import init_default_scope
from torch import Tensor, nn
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from ifdd_mmaction.engine import clip_shape
from ifdd_mmaction.errors import InputError
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
        help='clip (default: clip_shape of the neck, or that of the training pipeline)',
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


def unfused(model: ConfigDict) -> nn.Module:
    """Build a recognizer for counting, its backbone without fused attention."""
    if 'fused' in signature(MODELS.get(model.backbone.type)).parameters:
        model = deepcopy(model)
        model.backbone.fused = False
    return MODELS.build(model).eval()


@contextmanager
def counting() -> Iterator[FlopCounterMode]:
    """Count operations that are not carried out: tensors are shapes alone."""
    # The counter knows the kernels of a GPU: have it count the products instead.
    with (
        torch.no_grad(),
        sdpa_kernel(SDPBackend.MATH),
        FakeTensorMode(allow_non_fake_inputs=True),
        FlopCounterMode(display=False) as counter,
    ):
        yield counter


def whole_flops(model: ConfigDict, clip_shape: Sequence[int]) -> int:
    """Count the floating-point operations of a recognizer for one clip."""
    recognizer = unfused(model)
    with counting() as counter:
        feature, _ = recognizer.extract_feat(empty_clip(model, clip_shape), 'neck')
        recognizer.cls_head(feature)
    return counter.get_total_flops()


def empty_clip(model: ConfigDict, clip_shape: Sequence[int]) -> Tensor:
    """Return one clip as a recognizer takes it."""
    t, h, w = clip_shape
    return torch.empty(1, *((t, 3, h, w) if is_2d(model) else (1, 3, t, h, w)))


def cost(model: ConfigDict, clip_shape: Sequence[int]) -> dict[str, list[float]]:
    """Count a recognizer with its neck and without.

    Returns:
        ``params`` (millions) and ``gmac`` (of one clip), each ``[with, without]``.
    """
    recognizer = unfused(model)
    head = recognizer.cls_head
    with counting() as backbone:
        features = recognizer.backbone(empty_clip(model, clip_shape).flatten(0, 1))
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
        gmac=[whole_flops(model, clip_shape) / 2e9, alone / 1e9],
    )


def _millions(module: nn.Module) -> float:
    return sum(p.numel() for p in module.parameters()) / 1e6


def shape_of(cfg: Config) -> Sequence[int]:
    """Return the (T, H, W) of the clips that a config trains on.

    Raises:
        InputError: If it does not tell.
    """
    neck = cfg.model.get('neck') or {}
    shape = neck.get('clip_shape') or clip_shape(cfg, 'train_dataloader')
    if shape is None:
        raise InputError(
            'neither clip_shape of the neck nor the training pipeline tells the size '
            'of a clip: give --clip-shape T H W'
        )
    return shape


def report(path: Path, clip: Sequence[int] | None) -> None:
    """Print what a config costs, and what its neck infers.

    Raises:
        ValueError: If the model does not take such a clip.
    """
    cfg = Config.fromfile(path)
    init_default_scope(cfg.get('default_scope', 'mmaction'))
    shape = prepare(cfg.model, clip or shape_of(cfg))
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


def main() -> None:
    args = parse_args()
    for path in args.configs:
        if not path.is_file():
            print(f'no config {path}', file=sys.stderr)
            sys.exit(2)
        try:
            report(path, args.clip_shape)
        except ValueError as error:  # of the neck: a clip of another size
            print(f'{path}: {error}', file=sys.stderr)
            sys.exit(2)


if __name__ == '__main__':
    main()
