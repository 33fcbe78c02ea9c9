import pytest
import torch

from ifdd_mmaction.models.necks import to_pyramid


def test_one_map_and_several_maps_become_a_list():
    x = torch.zeros(1, 2, 3, 4, 4)
    assert to_pyramid(x)[0] is x
    assert [level is x for level in to_pyramid((x, x))] == [True, True]


def test_class_tokens_beside_maps_are_left_out():
    levels = [torch.zeros(1, 2, 3, s, s) for s in (4, 2)]
    pyramid = to_pyramid(tuple([level, torch.zeros(1, 2)] for level in levels))
    assert [a is b for a, b in zip(pyramid, levels, strict=True)] == [True, True]


def test_two_pathways_come_with_the_one_of_fewer_frames_last():
    slow, fast = torch.zeros(1, 64, 2, 7, 7), torch.zeros(1, 8, 8, 7, 7)
    assert to_pyramid((slow, fast))[-1] is slow


@pytest.mark.parametrize(
    'features, message',
    [
        (([torch.zeros(1, 2, 3, 4, 4), torch.zeros(1, 2, 3)],), 'feature pyramid'),
        (torch.zeros(1, 768), 'return_feat_map=True'),
        ([torch.zeros(2, 3, 8, 4)] * 16, 'out_indices'),
        ((), 'feature pyramid'),
        ((None,), 'NoneType'),
    ],
)
def test_anything_else_is_refused_with_the_argument_to_set(features, message):
    with pytest.raises(ValueError, match=message):
        to_pyramid(features)


def test_clips_on_the_time_axis_are_unfolded_in_order():
    videos = torch.arange(2 * 3 * 4.0).view(2, 1, 12, 1, 1)  # 3 clips of 4 frames
    (clips,) = to_pyramid(videos, num_segments=4)
    assert clips.shape == (6, 1, 4, 1, 1)
    assert torch.equal(clips.flatten(), videos.flatten())
    with pytest.raises(ValueError, match='set num_segments'):
        to_pyramid(videos, num_segments=5)
