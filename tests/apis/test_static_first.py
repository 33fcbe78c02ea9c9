"""Training on frames, then on clips, with real clips and in real processes."""

import re

import pytest
import torch

from ifdd_mmaction.apis import get_config
from ifdd_mmaction.apis.static_first import set_classifier
from ifdd_mmaction.engine import load_config
from tests.helpers.golden import ROOT
from tests.helpers.tiny_models import draw_set
from tests.helpers.tools import run_tool

pytestmark = pytest.mark.slow

ONE_EPOCH = ['train_cfg.max_epochs=1', 'train_dataloader.num_workers=0',
             'train_dataloader.persistent_workers=False']  # fmt: skip


@pytest.fixture(scope='module')
def data(tmp_path_factory):
    return draw_set(tmp_path_factory.mktemp('drawn') / 'sample')


def call(data, work_dir, *more, **kwargs):
    return run_tool(
        'static_first.py', 'ifdd_vit_sample', '--known-intensity', '--data-root', data,
        '--work-dir', work_dir, '--frame-options', *ONE_EPOCH,
        '--cfg-options', *ONE_EPOCH, *more, **kwargs,
    )  # fmt: skip


def weights(path):
    return torch.load(path, weights_only=True)['state_dict']


def test_the_clips_start_from_the_weights_of_the_frames(data, tmp_path):
    result = call(data, tmp_path, 'optim_wrapper.optimizer.lr=0.0')
    log = result.stdout + result.stderr
    frames = weights(tmp_path / 'frames' / 'epoch_1.pth')
    clips = weights(tmp_path / 'clips' / 'epoch_1.pth')
    assert re.search(r'epoch_1\.pth: \d+ of \d+ tensors match', log), log[-3000:]
    # With a learning rate of 0 they stay as they were loaded.
    assert set(frames) < set(clips)
    for name, value in frames.items():
        torch.testing.assert_close(clips[name], value, rtol=0, atol=0)
    assert any(name.startswith('neck.split') for name in clips.keys() - frames.keys())

    # Finished stages are not run again.
    again = call(data, tmp_path, 'optim_wrapper.optimizer.lr=0.0')
    assert 'Epoch(train)' not in again.stdout + again.stderr

    # Another epoch of the clips leaves the frames alone.
    more = call(data, tmp_path, 'train_cfg.max_epochs=2')
    assert re.findall(r'Epoch\(train\) +\[(\d+)\]', more.stdout)[-1] == '2'
    assert (tmp_path / 'clips' / 'epoch_2.pth').is_file()
    assert not (tmp_path / 'frames' / 'epoch_2.pth').is_file()


def test_a_frozen_backbone_learns_frames_of_more_sets_and_stays_as_it_is(
    data, tmp_path
):
    more = draw_set(tmp_path / 'more')
    run_tool(
        'static_first.py', 'ifdd_vit_sample_content', '--known-intensity',
        '--data-root', data, '--frames-root', more, data,
        '--work-dir', tmp_path / 'work', '--frame-options', *ONE_EPOCH,
        '--cfg-options', *ONE_EPOCH, 'model.neck.split.type=EvidenceSplit',
        'model.neck.frozen_aggregation=True',
    )  # fmt: skip
    config = load_config(tmp_path / 'work/frames/frames_of_known_intensity.py')
    roots = [d['data_root'] for d in config.train_dataloader.dataset.datasets]
    assert roots == [str(more), str(data)]
    assert config.val_dataloader.dataset.data_root == str(more)
    frames = weights(tmp_path / 'work/frames/epoch_1.pth')
    clips = weights(tmp_path / 'work/clips/epoch_1.pth')
    backbone = [name for name in frames if name.startswith('backbone.')]
    assert any('stem' in name for name in backbone)
    assert all(torch.equal(clips[name], frames[name]) for name in backbone)
    # What the evidence is read with stays too: aggregation, and the frames' head.
    aggregation = [name for name in frames if name.startswith('neck.aggregation.')]
    assert aggregation
    assert all(torch.equal(clips[name], frames[name]) for name in aggregation)
    for name in ('weight', 'bias'):
        head = frames[f'cls_head.fc_cls.{name}']
        assert torch.equal(clips[f'neck.split.{name}'], head)
    # Norms start at one, so that one epoch on frames has changed them.
    norms = [frames[name] for name in backbone if name.endswith('norm1.weight')]
    assert norms and not any(torch.all(norm == 1) for norm in norms)
    assert not torch.equal(
        clips['cls_head.fc_cls.weight'], frames['cls_head.fc_cls.weight']
    )


@pytest.mark.parametrize('kind', ['EvidenceSplit', 'mmaction.EvidenceSplit'])
@pytest.mark.parametrize(
    'name, classes, neutral',
    [('ifdd_cnn_dfew', 7, 2), ('ifdd_cnn_ferv39k', 7, 4), ('ifdd_cnn_mafw', 11, 4)],
)
def test_the_classifier_has_the_classes_of_the_data(name, classes, neutral, kind):
    config = get_config(name)
    config.model.neck.split = dict(type=kind)
    set_classifier(config, 'frames.pth')
    split = config.model.neck.split
    assert (split.num_classes, split.neutral) == (classes, neutral)
    assert split.init_cfg.checkpoint == 'frames.pth'
    # What the config says stays.
    config.model.neck.split = dict(type=kind, neutral=1, init_cfg=dict(type='Mine'))
    set_classifier(config, 'frames.pth')
    assert config.model.neck.split.neutral == 1
    assert config.model.neck.split.init_cfg.type == 'Mine'


@pytest.mark.parametrize(
    'name, copies',
    [('ifdd_vit_sample', 2), ('ifdd_cnn_photo', 1), ('ifdd_cnn_photo_evidence', 1)],
)
def test_a_frame_is_repeated_as_often_as_the_backbone_sees_frames(name, copies):
    path = ROOT / 'configs/_base_/static_first/frames_of_known_intensity.py'
    config = load_config(path, base=name)
    for loader in (config.train_dataloader, config.val_dataloader):
        assert loader.dataset.pipeline[0].copies == copies
    # All of it is trained on frames, and nothing is split.
    assert not config.model.backbone.get('frozen')
    assert not config.model.neck.get('frozen_aggregation')
    assert config.model.neck.split is None


def test_frames_of_known_intensity_need_the_intensity(data, tmp_path):
    known = data / 'envelope.npy'
    kept = known.read_bytes()
    known.unlink()
    try:
        result = call(data, tmp_path, check=2)
    finally:
        known.write_bytes(kept)
    assert f'{known} does not exist' in result.stderr
    assert not (tmp_path / 'frames').exists()


def test_an_unknown_config_is_refused(tmp_path):
    result = run_tool('static_first.py', 'ifdd_vit_sampel', check=2)
    assert 'ifdd_vit_sample' in result.stderr
