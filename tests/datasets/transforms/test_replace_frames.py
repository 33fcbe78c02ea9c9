import re

import numpy as np
import pytest
from mmaction.registry import DATASETS, TRANSFORMS
from mmengine.config import Config

from ifdd_mmaction.datasets.frame_corruptions import CORRUPTIONS
from ifdd_mmaction.datasets.transforms import ReplaceFrames
from ifdd_mmaction.randomness import seed_generators
from tests.helpers.golden import ROOT
from tests.helpers.layouts import make_dfew


def clip(frames=8, as_list=False):
    """A clip whose frames are all different, none of them black."""
    images = np.random.default_rng(3).integers(1, 256, (frames, 16, 16, 3), np.uint8)
    return dict(imgs=list(images) if as_list else images)


def changed(results):
    """The frames that are not those of the clip."""
    given = clip(len(results['imgs']))['imgs']
    found = np.asarray(results['imgs'])
    return (found != given).any(axis=(1, 2, 3)).nonzero()[0]


@pytest.mark.parametrize('as_list', [False, True])
@pytest.mark.parametrize('kind', CORRUPTIONS)
def test_the_given_images_are_left_as_they_are(kind, as_list):
    results = clip(as_list=as_list)
    before = results['imgs']
    ReplaceFrames(max_frames=3, kinds=[kind], prob=1.0)(results)
    assert 1 <= len(changed(results)) <= 3
    assert (np.asarray(before) == clip()['imgs']).all()
    assert type(results['imgs']) is type(before)


def test_every_number_and_place_is_drawn():
    transform = ReplaceFrames(max_frames=4, kinds=['black'], prob=1.0)
    seed_generators(0)
    drawn = [changed(transform(clip())) for _ in range(300)]
    counts = np.bincount([len(frames) for frames in drawn], minlength=5)
    assert counts[0] == 0 and counts[1:].min() > 50
    assert np.bincount(np.concatenate(drawn), minlength=8).min() > 60


def test_the_probability_is_that_of_clips():
    transform = ReplaceFrames(max_frames=1, prob=0.25)
    seed_generators(0)
    share = np.mean([len(changed(transform(clip()))) > 0 for _ in range(400)])
    assert 0.18 < share < 0.32
    never = ReplaceFrames(prob=0.0)(clip())
    assert not len(changed(never))


def test_a_clip_has_one_kind_and_all_kinds_occur():
    transform = ReplaceFrames(max_frames=4, kinds=['black', 'noise'], prob=1.0)
    seed_generators(0)
    found = set()
    for _ in range(40):
        results = transform(clip())
        black = [not results['imgs'][i].any() for i in changed(results)]
        assert all(black) or not any(black)
        found.add(black[0])
    assert found == {True, False}


def test_the_random_numbers_are_those_of_the_sample(tmp_path):
    root = make_dfew(tmp_path, clips_per_class=1, frames=8)
    pipeline = [
        dict(type='SampleClip', clip_len=8),
        dict(type='LoadFrames'),
        dict(type='ReplaceFrames', prob=1.0),
        dict(type='FormatShape', input_format='NCTHW'),
        dict(type='PackActionInputs'),
    ]
    data = dict(type='DFEWDataset', data_root=str(root), split='train', fold=1)
    dataset = DATASETS.build(dict(data, pipeline=pipeline, test_mode=False))
    clips = []
    for seed in (1, 1, 2):
        seed_generators(seed, devices=False)
        clips.append(dataset[2]['inputs'])
    assert (clips[0] == clips[1]).all() and (clips[0] != clips[2]).any()


@pytest.mark.parametrize('options, message', [
    (dict(max_frames=0), 'max_frames=0'),
    (dict(kinds=[]), r'kinds=\[\]'),
    (dict(kinds='noise'), "kinds='noise': give a list"),
    (dict(kinds=['noise', 'rain']), 'give a list of noise, blur, black'),
    (dict(prob=1.5), 'prob=1.5'),
])  # fmt: skip
def test_wrong_arguments_are_named(options, message):
    with pytest.raises(ValueError, match=message):
        TRANSFORMS.build(dict(type='ReplaceFrames', **options))


def test_a_clip_keeps_a_frame():
    with pytest.raises(ValueError, match='max_frames=4, but the clip has 4 frames'):
        ReplaceFrames()(clip(frames=4))


def test_the_config_of_the_page_puts_it_after_the_crops(tmp_path):
    page = (ROOT / 'docs' / 'training_options.md').read_text()
    blocks = re.findall(r'```python\n(.*?)```', page, re.DOTALL)
    (block,) = [b for b in blocks if 'ReplaceFrames' in b]
    path = tmp_path / 'config.py'
    path.write_text(block.replace("'ifdd", f"'{ROOT}/configs/ifdd"))
    cfg = Config.fromfile(path)
    names = [t.type for t in cfg.train_dataloader.dataset.pipeline]
    assert names[-4:] == ['Flip', 'ReplaceFrames', 'FormatShape', 'PackActionInputs']
    assert 'ReplaceFrames' not in str(cfg.test_dataloader)
    TRANSFORMS.build(cfg.train_dataloader.dataset.pipeline[-3])
