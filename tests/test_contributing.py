"""The worked examples of CONTRIBUTING.md work as they stand there."""

import re

import pytest
import torch
from mmaction.registry import DATASETS, MODELS
from mmaction.structures import ActionDataSample
from mmengine.config import ConfigDict

from ifdd_mmaction.datasets import DatasetError
from ifdd_mmaction.models import infer_neck
from tests.helpers.golden import ROOT
from tests.helpers.layouts import write_frames, write_lines


@pytest.fixture(scope='module')
def examples():
    """Run each example once, for a class is registered once, and keep its names."""
    text = (ROOT / 'CONTRIBUTING.md').read_text()
    found = re.findall(r'<!-- example: (\w+) -->\n```python\n(.*?)```', text, re.DOTALL)
    names = {}
    for name, code in found:
        names[name] = {'__name__': f'contributing_{name}'}
        exec(compile(code, f'CONTRIBUTING.md ({name})', 'exec'), names[name])
    assert set(names) == {'dataset', 'split', 'backbone'}
    return names


def test_the_dataset_reads_its_folds_and_names_a_bad_line(examples, tmp_path):
    for split in ('train', 'test'):
        for fold in (1, 2):
            clips = [f'{split}_{fold}_{label},{label}' for label in ('joy', 'Anger')]
            write_lines(tmp_path / f'lists/{split}_{fold}.csv', clips)
            for clip in clips:
                folder = tmp_path / 'faces' / clip.partition(',')[0]
                write_frames(folder, 5, name='{}.png')
    config = dict(
        type='TheatreDataset',
        data_root=str(tmp_path),
        split='test',
        fold=2,
        pipeline=[dict(type='SampleClip', clip_len=4), dict(type='LoadFrames')],
    )
    dataset = DATASETS.build(config)
    assert [dataset.get_data_info(i)['label'] for i in range(len(dataset))] == [0, 1]
    assert dataset.metainfo['fold'] == 2 and dataset.metainfo['release'] == 'faces'
    assert len(dataset[0]['imgs']) == 4
    with pytest.raises(DatasetError, match='folds'):
        DATASETS.build(dict(config, fold=3))
    write_lines(tmp_path / 'lists/test_2.csv', ['test_2_joy,awe'])
    with pytest.raises(DatasetError, match=r"test_2\.csv:1: class 'awe'"):
        DATASETS.build(config)


@pytest.mark.parametrize('frames', [7, 8])
def test_the_split_works_within_the_neck(examples, frames):
    neck = MODELS.build(
        dict(
            type='IFDDNeck',
            in_channels=[8, 16],
            input_size=(frames, 2, 2),
            split=dict(type='HalvesSplit'),
        )
    )
    stages = torch.randn(2, 8, frames, 4, 4), torch.randn(2, 16, frames, 2, 2)
    parts = neck.eval().disentangle(stages)
    assert torch.equal(parts.x_s, parts.x[:, :, :4])
    assert parts.frames_d.tolist()[0] == [4, 5, 6, min(7, frames - 1)]
    feature, losses = neck(stages)
    assert feature.shape == (2, 16, 1, 1, 1)
    assert losses['context_gap'].shape == (2, 2, 2)


def test_the_backbone_trains_behind_an_inferred_neck(examples):
    model = ConfigDict(examples['backbone']['model'])
    infer_neck(model)
    assert model.neck.in_channels == [16, 32] and model.neck.input_size == [8, 8, 8]
    recognizer = MODELS.build(model)
    samples = [ActionDataSample().set_gt_label(i) for i in (0, 6)]
    losses = recognizer.loss(torch.randn(2, 1, 3, 8, 64, 64), samples)
    sum(v for k, v in losses.items() if k.startswith('loss')).backward()
    assert all(p.grad is not None for p in recognizer.parameters())
