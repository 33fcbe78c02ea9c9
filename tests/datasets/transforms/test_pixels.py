"""Pixels of whole pipelines: against MMAction2's, and alike in all frames."""

import random

import cv2
import numpy as np
import pytest
import torch
from mmaction.registry import DATASETS, MODELS
from mmengine.config import Config
from mmengine.dataset import Compose, pseudo_collate

from ifdd_mmaction.datasets.storage import FolderClipSource
from ifdd_mmaction.datasets.transforms import (
    AddFlippedViews,
    RandomResizedCropClip,
    ResizeClip,
)
from tests.helpers.golden import ROOT, load_golden
from tests.helpers.layouts import make_dfew
from tests.helpers.numeric import assert_close, depth_of

CONFIG = Config.fromfile(ROOT / 'configs' / '_base_' / 'datasets' / 'dfew.py')


def write_clip(folder, frames=16, size=224, still=False):
    rng = np.random.default_rng(0)
    folder.mkdir(parents=True)
    for i in range(frames):
        if i == 0 or not still:
            noise = rng.integers(0, 256, (size, size, 3), np.uint8)
            image = cv2.GaussianBlur(noise, (15, 15), 4)
        cv2.imwrite(str(folder / f'{i + 1}.jpg'), image)
    return folder


def run(pipeline, folder):
    source = FolderClipSource(folder)
    info = dict(source=source, total_frames=len(source), label=0, modality='RGB')
    return Compose(list(pipeline))(info)['inputs']


def run_stock(transforms, folder, frames):
    pipeline = [
        dict(type='SampleFrames', clip_len=16, frame_interval=1, num_clips=1)
        | dict(test_mode=True),
        dict(type='RawFrameDecode'),
        *transforms,
        dict(type='FormatShape', input_format='NCTHW'),
        dict(type='PackActionInputs'),
    ]
    info = dict(
        frame_dir=str(folder), total_frames=frames, filename_tmpl='{}.jpg',
        start_index=1, label=0, modality='RGB',
    )  # fmt: skip
    return Compose(pipeline)(info)['inputs']


def resize(scale):
    return dict(type='Resize', scale=(scale, scale), keep_ratio=False)


def test_the_test_pipeline_gives_the_pixels_of_mmaction2(tmp_path):
    folder = write_clip(tmp_path / 'clip', frames=20)
    found = run(CONFIG.test_pipeline, folder)
    expected = run_stock([resize(224)], folder, 20)
    assert found.shape == (1, 3, 16, 224, 224) and found.dtype == torch.uint8
    assert torch.equal(found, expected)
    # Enlarged, only the rounding differs: OpenCV's weights have 11 bits.
    pipeline = [*CONFIG.test_pipeline]
    pipeline[2] = dict(type='ResizeClip', size=256, interpolation='bilinear')
    expected = run_stock([resize(256)], folder, 20)
    assert (run(pipeline, folder).int() - expected.int()).abs().max() <= 1


@pytest.mark.parametrize('flip', [0.0, 1.0])
def test_the_training_pipeline_gives_the_pixels_of_mmaction2(flip, tmp_path):
    folder = write_clip(tmp_path / 'clip')
    pipeline = [dict(t) for t in CONFIG.train_pipeline]
    half = dict(area_range=(0.5, 0.5), aspect_ratio_range=(1.0, 1.0))
    pipeline[2].update(half)
    pipeline[3].update(flip_ratio=flip)
    seed_all(5)
    found = run(pipeline, folder)
    seed_all(5)
    np.random.randint(1, size=1)  # what SampleClip draws
    stock = [
        dict(type='RandomResizedCrop', **half),
        resize(224),
        dict(type='Flip', flip_ratio=flip),
    ]
    expected = run_stock(stock, folder, 16)
    assert (found.int() - expected.int()).abs().max() <= 1


def seed_all(seed):
    random.seed(seed)
    np.random.seed(seed)


def test_training_treats_all_frames_alike_and_clips_differently(tmp_path):
    folder = write_clip(tmp_path / 'clip', still=True)
    seed_all(0)
    clips = [run(CONFIG.train_pipeline, folder) for _ in range(4)]
    for clip in clips:
        assert torch.equal(clip, clip[:, :, :1].expand_as(clip))
    assert not any(torch.equal(clips[0], clip) for clip in clips[1:])
    seed_all(0)
    assert torch.equal(run(CONFIG.train_pipeline, folder), clips[0])


def test_a_crop_equals_torchvision(monkeypatch):
    golden = load_golden('torchvision')
    frames = list(golden['x'].permute(0, 2, 3, 1).numpy())
    transform = RandomResizedCropClip(10)
    box = (3, 2, 12, 10)  # left, top, right, bottom
    stock = 'mmaction.datasets.transforms.RandomResizedCrop.get_crop_bbox'
    monkeypatch.setattr(stock, lambda *_: box)
    results = transform.transform(dict(imgs=frames))
    expected = golden['resized_crop/bilinear'].permute(0, 2, 3, 1).numpy()
    assert np.abs(results['imgs'].astype(int) - expected).max() <= 1
    assert results['img_shape'] == (10, 10)


@pytest.mark.parametrize(
    'kind, options, message',
    [
        (
            ResizeClip,
            dict(interpolation='area'),
            "interpolation='area': must be",
        ),
        (RandomResizedCropClip, dict(area_range=(0.9, 0.5)), r'area_range=\(0.9, 0.5'),
        (RandomResizedCropClip, dict(aspect_ratio_range=(2, 1)), 'aspect_ratio_range='),
    ],
)
def test_impossible_arguments_are_refused(kind, options, message):
    with pytest.raises(ValueError, match=message):
        kind(size=8, **options)


def test_flipped_views_follow_the_clips():
    frames = [np.random.default_rng(i).integers(0, 256, (4, 5, 3)) for i in range(6)]
    found = AddFlippedViews().transform(dict(imgs=frames))['imgs']
    assert found.shape == (12, 4, 5, 3)
    assert (found[:6] == frames).all() and (found[6:] == found[:6, :, ::-1]).all()


def test_the_score_of_test_time_augmentation_is_the_mean_of_its_views(tmp_path):
    root = make_dfew(tmp_path, clips_per_class=1, frames=24, size=32)
    tta = Config.fromfile(ROOT / 'configs' / '_base_' / 'datasets' / 'dfew_tta.py')
    pipeline = tta.test_dataloader.dataset.pipeline
    pipeline[0].clip_len, pipeline[2].size = 8, 32
    settings = dict(tta.test_dataloader.dataset, data_root=str(root), pipeline=pipeline)
    dataset = DATASETS.build(settings)
    cfg = Config.fromfile(ROOT / 'tests' / 'data' / 'tiny_dfew.py')
    model = MODELS.build(cfg.model).eval()
    batch = pseudo_collate([dataset[0], dataset[1]])
    views = [clip.clone() for clip in batch['inputs']]
    assert views[0].shape == (6, 3, 8, 32, 32)
    with torch.no_grad():
        found = model.test_step(batch)
        for views_of_clip, sample in zip(views, found, strict=True):
            single = [
                model.test_step(
                    dict(inputs=[view[None]], data_samples=[sample.clone()])
                )[0].pred_score
                for view in views_of_clip
            ]
            mean = torch.stack(single).mean(0)
            assert_close(sample.pred_score, mean, depth_of(model))
            assert torch.stack(single).std(0).max() > 1e-4  # the views do differ
