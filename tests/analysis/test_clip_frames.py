import pytest
import torch
from mmaction.registry import MODELS

from ifdd_mmaction.analysis import (
    corrupt_clip,
    from_frames,
    num_segments,
    replacement_order,
    to_frames,
)
from ifdd_mmaction.errors import InputError

TSM = dict(type='ResNetTSM', depth=18, num_segments=4, norm_eval=False)
RESNET = dict(type='ResNet', depth=18, norm_eval=False)


def recognizer(backbone, head):
    head = dict(head, num_classes=3, in_channels=512)
    return MODELS.build(dict(type='Recognizer2D', backbone=backbone, cls_head=head))


@pytest.mark.parametrize('backbone, head, expected', [
    (TSM, dict(type='TSMHead', num_segments=4), 4),
    (RESNET, dict(type='TSMHead', num_segments=6, is_shift=False), 6),
    (RESNET, dict(type='TSNHead'), None),
])  # fmt: skip
def test_a_2d_recognizer_tells_its_segments(backbone, head, expected):
    assert num_segments(recognizer(backbone, head)) == expected


@pytest.mark.parametrize('shape, segments, frames', [
    ((2, 3, 8, 6, 5), None, (2, 8, 3, 6, 5)),
    ((8, 3, 6, 5), None, (1, 8, 3, 6, 5)),
    ((8, 3, 6, 5), 4, (2, 4, 3, 6, 5)),
])  # fmt: skip
def test_the_time_axis_of_each_format(shape, segments, frames):
    clip = torch.arange(torch.Size(shape).numel()).view(shape)
    found = to_frames(clip, segments)
    assert found.shape == frames
    if len(shape) == 4:  # a view has its frames one after the other
        assert torch.equal(found[-1, 1], clip[-frames[1] + 1])
    else:
        assert torch.equal(found[1, 2], clip[1, :, 2])
    back = from_frames(found, clip.dim())
    assert torch.equal(back, clip) and back.is_contiguous()


@pytest.mark.parametrize('shape, segments, message', [
    ((2, 3, 1, 6, 5), None, 'one frame of each view'),
    ((1, 3, 6, 5), None, 'one frame of each view'),
    ((8, 3, 6, 5), 3, 'num_segments=3'),
    ((3, 17), None, r'packs Tensor \(3, 17\)'),
])  # fmt: skip
def test_clips_without_a_time_axis_are_refused(shape, segments, message):
    with pytest.raises(InputError, match=message):
        to_frames(torch.zeros(shape), segments)


def test_fewer_bad_frames_are_among_more():
    order = replacement_order(16, seed=0, clip='anna')
    assert sorted(order) == list(range(16))
    assert (order == replacement_order(16, 0, 'anna')).all()
    assert (order != replacement_order(16, 0, 'ben')).any()
    assert (order != replacement_order(16, 1, 'anna')).any()


def test_views_get_the_same_corruption_and_frames_different_ones():
    clip = torch.full((2, 4, 3, 8, 8), 99, dtype=torch.uint8)
    found = corrupt_clip(clip, 'noise', seed=0, clip='anna')
    assert found.shape == clip.shape and torch.equal(found[0], found[1])
    assert not torch.equal(found[0, 0], found[0, 1])
    assert torch.equal(found, corrupt_clip(clip, 'noise', seed=0, clip='anna'))
    assert not torch.equal(found, corrupt_clip(clip, 'noise', seed=1, clip='anna'))


@pytest.mark.parametrize('clip', [
    torch.zeros(1, 4, 3, 8, 8), torch.zeros(1, 4, 2, 8, 8, dtype=torch.uint8)
])  # fmt: skip
def test_other_than_rgb_in_uint8_is_refused(clip):
    with pytest.raises(InputError, match='corruptions need RGB in uint8'):
        corrupt_clip(clip, 'black', seed=0, clip='anna')
