import pytest
import torch

from ifdd_mmaction.analysis import (
    KINDS,
    VariantPlan,
    clip_variants,
    other_clip,
    replacement_order,
)


def numbered(views=2, frames=8):
    """A clip whose values tell view and frame, from 1."""
    number = torch.arange(1, views * frames + 1, dtype=torch.uint8)
    return number.view(views, frames, 1, 1, 1).expand(-1, -1, 3, 8, 8).contiguous()


def variants(plan, frames, names=None, clip='anna', other=None):
    names = plan.names(frames.shape[1]) if names is None else names
    return dict(clip_variants(plan, names, frames, clip, other))


def test_a_plan_names_what_it_yields():
    plan = VariantPlan(counts=(1, 2, 8, 16))
    frames = numbered()
    found = variants(plan, frames, other=frames)
    assert list(found) == plan.names(8)
    assert len(found) == 8 + 8 + 2 * len(KINDS)  # not 8 of 8 frames, nor 16
    assert all(v.shape == frames.shape for v in found.values())
    assert torch.equal(found['in order'], frames)
    assert torch.equal(found['reversed'], frames.flip(1))
    assert torch.equal(found['frame 3'], frames[:, 3:4].expand_as(frames))
    assert torch.equal(frames, numbered())  # nothing is changed in place


def test_only_what_is_missing_is_made():
    plan = VariantPlan()
    names = ['reversed', 'black 4']
    assert list(variants(plan, numbered(), names)) == names


@pytest.mark.parametrize('kind', KINDS)
def test_bad_frames_are_the_same_for_every_kind(kind):
    frames = numbered()
    other = torch.full_like(frames, 200)
    found = variants(VariantPlan(), frames, other=other)
    order = replacement_order(8, 0, 'anna').tolist()
    for count in (1, 2, 4):
        same = (found[f'{kind} {count}'] == frames).flatten(2).all(2)  # (M, T)
        good = sorted(order[count:])
        if kind in ('blur', 'wrong_crop', 'compression'):  # a flat frame stays flat
            assert same[:, good].all()
        else:
            assert [row.nonzero()[:, 0].tolist() for row in same] == [good, good]
    if kind == 'other_clip':
        assert (found['other_clip 1'][:, order[0]] == 200).all()


def test_more_bad_frames_contain_the_fewer():
    found = variants(VariantPlan(kinds=('noise',), counts=(1, 4)), numbered())
    first = replacement_order(8, 0, 'anna')[0]
    assert torch.equal(found['noise 1'][:, first], found['noise 4'][:, first])


def test_the_other_clip_is_of_another_group():
    groups = list('aabbbc')
    for index in range(6):
        drawn = {other_clip(index, f'clip {i}', groups, seed=0) for i in range(60)}
        assert drawn == {i for i in range(6) if groups[i] != groups[index]}
