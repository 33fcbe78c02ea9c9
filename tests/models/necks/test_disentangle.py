"""What the neck tells about itself equals what it does."""

import pytest
import torch
from mmaction.registry import MODELS

from ifdd_mmaction.errors import InputError
from ifdd_mmaction.models.necks import sample_frames
from ifdd_mmaction.models.necks.ladm import context_gap
from tests.helpers.numeric import assert_close, depth_of

CHANNELS = [6, 8]
LADM = dict(type='LADM', num_heads=2)
SPLITS = [
    dict(type='ISSM'),
    dict(type='ISSM', align_corners=False),
    dict(type='IntervalSplit'),
    dict(type='EvidenceSplit'),
    dict(type='TopKSplit'),
    dict(type='WeightingSplit'),
    None,
]


def neck(frames=4, **parts):
    config = dict(type='IFDDNeck', in_channels=CHANNELS, input_size=(frames, 3, 2))
    module = MODELS.build(config | dict(lifting=LADM) | parts).eval()
    for name, weight in module.named_parameters():
        if 'offset' in name:  # shifts that leave the clip at both ends
            torch.nn.init.normal_(weight, std=3.0)
    return module


def pyramid(frames=4):
    return torch.randn(2, 6, frames, 6, 4), torch.randn(2, 8, frames, 3, 2)


@pytest.mark.parametrize('lifting', [
    LADM,
    dict(LADM, update_first=False),
    dict(type='ConvLADM'),
    None,
], ids=str)  # fmt: skip
@pytest.mark.parametrize('split', SPLITS, ids=str)
@pytest.mark.parametrize('frames', [1, 4, 5])
def test_it_is_what_forward_computes(split, lifting, frames):
    if split is None and lifting is None:
        pytest.skip('nothing is split')
    module = neck(frames, split=split, lifting=lifting)
    levels = pyramid(frames)
    found = module.disentangle(levels)
    feature, aux = module(levels)
    assert torch.equal(found.vector, feature.flatten(1))
    gap = context_gap(found.x, found.y_s)
    assert torch.equal(gap, aux['context_gap'])

    half = (frames + 1) // 2
    assert found.x.shape == (2, 8, frames, 3, 2)
    for name in ('x_s', 'x_d', 'y_s', 'y_d'):
        assert getattr(found, name).shape == (2, 8, half, 3, 2), name
    kind = split['type'] if split else 'IntervalSplit'
    correlation = found.indexes.correlation
    if kind in ('IntervalSplit', 'EvidenceSplit'):
        assert correlation is None
    else:
        assert correlation.shape == (2, 2 * half, 2 * half)
        assert_close(correlation, correlation.transpose(1, 2), found.x[0].numel())

    # The frames that are named are the frames that were read.
    for frame, group in ((found.frames_s, found.x_s), (found.frames_d, found.x_d)):
        assert frame.shape == (2, half) and frame.dtype == torch.float32
        assert frame.min() >= 0 and frame.max() <= frames - 1
        if kind != 'WeightingSplit':  # which scales its frames
            read = sample_frames(found.x, frame)
            assert_close(read, group, frames)


def test_y_d_is_what_the_lifting_leaves_of_the_dynamics():
    plain = dict(LADM, output_attention=False, compress=False)
    module, levels = neck(lifting=plain).double(), [x.double() for x in pyramid()]
    found = module.disentangle(levels)
    assert_close(found.y_d.mean(dim=(2, 3, 4)), found.vector, found.y_d[0, 0].numel())
    module = neck(lifting=dict(type='ConvLADM')).double()
    found = module.disentangle(levels)
    expected = found.x_d - module.lifting.predictor(found.y_s)
    assert_close(found.y_d, expected, depth_of(module))
    found = neck(lifting=None).disentangle(pyramid())
    assert torch.equal(found.y_d, found.x_d)
    assert torch.equal(found.y_s, found.x_s)


def test_a_neck_with_neither_split_nor_lifting_is_refused():
    module = neck(split=None, lifting=None)
    with pytest.raises(InputError, match='neither split nor lifting'):
        module.disentangle(pyramid())


def test_indexes_are_not_rounded_by_half_precision():
    module = neck(aggregation=None)
    x = pyramid()[1]
    expected = module.split.split_indexes(x)
    with torch.autocast('cpu', torch.bfloat16):
        found = module.disentangle(x)
    for a, b in zip(found.indexes, expected, strict=True):
        assert torch.equal(a, b)
