"""Backbone x neck x frames: the cases, and running one of them.

The tests run it. ``python -m tests.helpers.backbone_matrix [NAME ...]`` prints a line
of JSON for each row of ``docs/backbones.md``, for
``tools/analysis/document_backbones.py``. Exit codes: 0 all ran, 2 no such row, or a
package is missing.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from importlib.util import find_spec
from typing import Any

import pytest
import torch
from mmaction.registry import MODELS
from mmaction.structures import ActionDataSample
from mmengine.config import ConfigDict
from mmengine.registry import init_default_scope

from ifdd_mmaction.models import infer_neck
from ifdd_mmaction.models.infer_neck import dry_run
from tests.helpers.numeric import assert_close, depth_of

FRAMES = (1, 7, 8, 16, 32)
LIFTINGS = ('LADM', 'ConvLADM')
CLASSES = 7


@dataclass(frozen=True)
class Case:
    """A backbone at tiny size.

    Attributes:
        make: Its config for clips of so many frames.
        set: Arguments that the neck needs, as documented.
        cannot: Numbers of frames that the backbone itself refuses: why, and its error.
        size: Height and width of the frames.
        needs: A package that may be absent.
        neck: Further arguments of the neck.
    """

    make: Callable[[int], dict]
    set: str = ''
    recognizer: str = 'Recognizer3D'
    cannot: dict[int, tuple[str, str]] = field(default_factory=dict)
    size: int = 64
    needs: str = ''
    neck: dict = field(default_factory=dict)

    @property
    def available(self) -> bool:
        return not self.needs or find_spec(self.needs) is not None


RESNET3D = dict(
    depth=18, base_channels=8, out_indices=(2, 3), pretrained=None, pretrained2d=False,
    norm_eval=False,
)  # fmt: skip
RESNET2D = dict(depth=18, num_stages=2, strides=(1, 2), dilations=(1, 1))
POOLS = 'Output size is too small'
TWO_FRAMES = {1: ('pools pairs of frames', POOLS)}


def slowfast(frames: int) -> dict:
    pathway = dict(
        type='resnet3d', depth=18, pretrained=None, conv1_stride_t=1, norm_eval=False,
        pool1_stride_t=1,
    )  # fmt: skip
    return dict(
        type='ResNet3dSlowFast',
        pretrained=None,
        resample_rate=4,
        speed_ratio=4,
        channel_ratio=4,
        slow_pathway=dict(
            pathway, lateral=True, base_channels=16, conv1_kernel=(1, 7, 7),
            inflate=(0, 0, 1, 1), fusion_kernel=5,
        ),
        fast_pathway=dict(
            pathway, lateral=False, base_channels=4, conv1_kernel=(5, 7, 7)
        ),
    )  # fmt: skip


# A 2-D backbone needs the list form; 'temporal_pool' of TSM mixes clips (refused).
LIST = 'out_indices of two stages'
# Without the last one its weights are never trained.
LAST = f'{LIST}, one of them 7'
NARROW = dict(aggregation=dict(out_channels=32))
CASES = {
    'ResNet': Case(
        lambda t: dict(type='ResNet', out_indices=(0, 1), **RESNET2D),
        LIST, 'Recognizer2D', size=32,
    ),
    'ResNetTSM': Case(
        lambda t: dict(
            type='ResNetTSM', depth=18, num_segments=t, out_indices=(2, 3)
        ),
        f'{LIST}, num_segments', 'Recognizer2D',
    ),
    'TANet': Case(
        lambda t: dict(
            type='TANet', num_segments=t, out_indices=(0, 1), **RESNET2D | {'depth': 50}
        ),
        f'{LIST}, num_segments', 'Recognizer2D',
        {1: ('takes 3 segments at least', 'AssertionError')}, size=32,
    ),
    'MobileNetV2': Case(
        lambda t: dict(type='MobileNetV2', widen_factor=0.25, out_indices=(4, 7)),
        LAST, 'Recognizer2D', neck=NARROW,
    ),
    'MobileNetV2TSM': Case(
        lambda t: dict(
            type='MobileNetV2TSM', widen_factor=0.25, num_segments=t,
            out_indices=(4, 7),
        ),
        f'{LAST}, num_segments', 'Recognizer2D', neck=NARROW,
    ),
    'TimmPyramid': Case(
        lambda t: dict(type='TimmPyramid', model_name='convnext_atto', depths=(1,) * 4,
                       dims=(8, 16, 16, 16)),
        'model_name', 'Recognizer2D', needs='timm',
    ),
    'C2D': Case(
        lambda t: dict(
            type='C2D', norm_eval=False, out_indices=(1,), **RESNET2D
        ),
        'out_indices of one stage', cannot=TWO_FRAMES, size=32,
    ),
    'C3DPyramid': Case(
        lambda t: dict(type='C3DPyramid'),
        cannot=dict.fromkeys((1, 7), ('halves time three times', POOLS)), size=32,
    ),
    'ResNet3d': Case(
        lambda t: dict(type='ResNet3d', **RESNET3D), 'out_indices', cannot=TWO_FRAMES,
    ),
    'ResNet3dSlowOnly': Case(
        lambda t: dict(type='ResNet3dSlowOnly', **RESNET3D), 'out_indices'
    ),
    'ResNet3dCSN': Case(
        lambda t: dict(type='ResNet3dCSN', **RESNET3D | {'depth': 50}), 'out_indices',
        cannot=TWO_FRAMES,
    ),
    'ResNet2Plus1d': Case(
        lambda t: dict(
            type='ResNet2Plus1d', conv_cfg=dict(type='Conv2plus1d'),
            norm_cfg=dict(type='BN3d'), conv1_kernel=(3, 7, 7), conv1_stride_t=1,
            pool1_stride_t=1, inflate=(1,) * 4, spatial_strides=(1, 2, 2, 2),
            temporal_strides=(1, 2, 2, 2), **RESNET3D,
        ),
    ),
    'ResNet3dSlowFast': Case(
        slowfast, cannot={
            1: ('keeps every resample_rate-th frame', 'greater than 0'),
            7: ('takes multiples of resample_rate', 'Sizes of tensors must match'),
        },
    ),
    'X3D': Case(lambda t: dict(type='X3D', gamma_w=0.5, gamma_b=2.25, gamma_d=0.5)),
    'SwinTransformer3D': Case(
        lambda t: dict(
            type='SwinTransformer3D', window_size=(2, 4, 4), patch_size=(2, 4, 4),
            arch=dict(embed_dims=8, depths=[1, 1], num_heads=[1, 2]),
            out_indices=(0, 1), pretrained2d=False,
        ),
        'out_indices', size=32,
    ),
    'MViT': Case(
        lambda t: dict(
            type='MViT', spatial_size=32, temporal_size=t, out_scales=[0, 1],
            arch=dict(
                embed_dims=8, num_layers=2, num_heads=1, downscale_indices=[1]
            ),
        ),
        'out_scales', size=32,
    ),
    'PyramidMViT': Case(
        lambda t: dict(
            type='PyramidMViT', spatial_size=32, temporal_size=t, out_scales=[0, 1],
            arch=dict(
                embed_dims=8, num_layers=2, num_heads=1, downscale_indices=[1]
            ),
        ),
        size=32,
    ),
    'UniFormer': Case(
        lambda t: dict(
            type='UniFormer', depth=[1] * 4, embed_dim=[8, 16, 16, 16], head_dim=8,
            img_size=64, pretrained2d=False,
        ),
    ),
    'UniFormerV2Map': Case(
        lambda t: dict(
            type='UniFormerV2Map', input_resolution=32, width=16, layers=2, heads=2,
            t_size=t, return_list=[0, 1], n_layers=2, n_dim=16, n_head=2,
            mlp_dropout=[0.5, 0.5], clip_pretrained=False,
        ),
        't_size', size=32,
    ),
    'VisionTransformer': Case(
        lambda t: dict(
            type='VisionTransformer', img_size=32, embed_dims=16, depth=2, num_heads=2,
            num_frames=t, return_feat_map=True, use_mean_pooling=False,
        ),
        'return_feat_map=True, use_mean_pooling=False, num_frames',
        cannot={1: ('embeds tubelets of 2 frames', 'greater than actual input size')},
        size=32,
    ),
    'TimeSformerMap': Case(
        lambda t: dict(
            type='TimeSformerMap', num_frames=t, img_size=32, patch_size=16,
            embed_dims=16, num_heads=2, num_transformer_layers=2,
        ),
        'num_frames', size=32,
    ),
}  # fmt: skip


def model_config(case: Case, frames: int, lifting: str = 'LADM', **neck: Any):
    """Return the recognizer's config as a user writes it, neck inferred."""
    options = dict(num_heads=2, drop_path=0.0) if lifting == 'LADM' else {}
    model = ConfigDict(
        type=case.recognizer,
        backbone=case.make(frames),
        neck=dict(
            type='IFDDNeck',
            clip_shape=(frames, case.size, case.size),
            lifting=dict(type=lifting, **options),
            **{**case.neck, **neck},
        ),
        cls_head=dict(type='IFDDHead', num_classes=CLASSES),
    )
    infer_neck(model)
    return model


def is_3d(case: Case) -> bool:
    return case.recognizer == 'Recognizer3D'


def inputs(case: Case, frames: int, batch: int, views: int = 1):
    """Return a batch as the data preprocessor hands it to the recognizer."""
    shape = (views, 3, frames) if is_3d(case) else (views * frames, 3)
    return torch.rand(batch, *shape, case.size, case.size)


def samples(labels) -> list[ActionDataSample]:
    out = []
    for label in labels:
        sample = ActionDataSample()
        if isinstance(label, int):
            sample.set_gt_label(label)
        else:  # a soft one, as mixup leaves it
            sample.gt_label = label
        out.append(sample)
    return out


def finite_loss(model, case: Case, frames: int, labels) -> torch.Tensor:
    losses = model(inputs(case, frames, len(labels)), samples(labels), mode='loss')
    assert {'loss_cls', 'loss_context'} <= losses.keys()
    loss, logged = model.parse_losses(losses)
    assert torch.isfinite(loss), logged
    return loss


def check_step(model, case: Case, frames: int) -> None:
    """Two clips give every parameter a gradient, and one gets a score."""
    finite_loss(model, case, frames, [0, 3]).backward()
    trained = [(n, p) for n, p in model.named_parameters() if p.requires_grad]
    assert [n for n, p in trained if p.grad is None] == []
    with torch.no_grad():
        clip = inputs(case, frames, 1)
        (sample,) = model.eval()(clip, samples([0]), mode='predict')
    assert sample.pred_score.shape == (CLASSES,)
    model.train()


def check_loss(model, case: Case, frames: int) -> None:
    """Hard and soft labels, batches of 2 and 1."""
    soft = torch.full((CLASSES,), 1 / CLASSES)
    for labels in ([soft, soft], [6], [soft]):
        finite_loss(model, case, frames, labels)


@torch.no_grad()
def check_predict(model, case: Case, frames: int) -> None:
    """Three crops score the mean of their clips, with ``max_testing_views`` too."""
    model.eval().double()
    depth, crops = depth_of(model), inputs(case, frames, 1, views=3).double()
    (sample,) = model(crops, samples([0]), mode='predict')
    # In 2-D the crops lie one after another on the time axis.
    alone = crops.reshape(inputs(case, frames, 3).shape)
    singly = model(alone, samples([0] * 3), mode='predict')
    mean = torch.stack([s.pred_score for s in singly]).mean(0)
    assert_close(sample.pred_score, mean, depth)
    model.test_cfg = dict(max_testing_views=2 if is_3d(case) else frames)
    if is_3d(case):
        (viewed,) = model(crops, samples([0]), mode='predict')
        assert_close(viewed.pred_score, sample.pred_score, depth)
    else:  # fails without a neck, too
        with pytest.raises(AttributeError, match="no attribute 'get'"):
            model(crops, samples([0]), mode='predict')
    model.test_cfg = None


@torch.no_grad()
def check_tensor(model, case: Case, frames: int) -> None:
    """``mode='tensor'`` at neck and head, and MMAction2's feature extraction."""
    model.eval().double()
    clips = inputs(case, frames, 1).double()
    channels = model.cls_head.in_channels
    assert model(clips, mode='tensor', stage='head').shape == (1, CLASSES)
    feature = model(clips, mode='tensor', stage='neck')
    assert feature.shape[:2] == (1, channels) and feature.numel() == channels
    head, model.cls_head = model.cls_head, MODELS.build(
        dict(type='FeatureHead', average_clips='score')
    )  # fmt: skip
    vectors = model(clips, samples([0]), mode='predict')
    model.cls_head = head
    assert_close(torch.stack(list(vectors)), feature.flatten(1), depth_of(model))


CHECKS = dict(
    step=check_step, loss=check_loss, predict=check_predict, tensor=check_tensor
)


def run(case: Case, frames: int, lifting: str = 'LADM', checks=CHECKS) -> None:
    """Build the model of a case and run the checks, by name."""
    init_default_scope('mmaction')
    torch.manual_seed(0)
    model = MODELS.build(model_config(case, frames, lifting))
    for name in checks:
        CHECKS[name](model, case, frames)


def levels(case: Case, frames: int = 8) -> list[list[int]]:
    """Return the (C, T, H, W) of each level, or raise what the backbone does."""
    model = model_config(case, frames)
    return [list(x.shape[1:]) for x in dry_run(model, model.neck.clip_shape)]


def check_refused(case: Case, frames: int) -> str:
    """Check that the backbone itself refuses so many frames; return why."""
    reason, error = case.cannot[frames]
    # Assertions without a message, too: the type's name is searched as well.
    with pytest.raises(Exception) as raised:
        levels(case, frames)
    assert re.search(error, repr(raised.value)), raised.value
    return reason


def full_row(case: Case) -> dict[str, Any]:
    """Run all frames and both liftings of a case; return its row of the page."""
    frames = {}
    for t in FRAMES:
        if t in case.cannot:
            frames[str(t)] = check_refused(case, t)
            continue
        for lifting in LIFTINGS:
            run(case, t, lifting)
        frames[str(t)] = 'yes'
    return dict(
        recognizer=case.recognizer, set=case.set, levels=levels(case), frames=frames
    )


def main(names: list[str]) -> int:
    for name in names or CASES:
        if name not in CASES:
            print(f'no row {name}: {", ".join(CASES)}', file=sys.stderr)
            return 2
        if not CASES[name].available:
            print(f'{name} needs {CASES[name].needs}: install it', file=sys.stderr)
            return 2
        row = full_row(CASES[name])
        print(json.dumps(dict(name=name, row=row, order=list(CASES))), flush=True)
    return 0


if __name__ == '__main__':
    sys.exit(main(sys.argv[1:]))
