"""Real recognizers on the variants of drawn clips."""

import copy
from dataclasses import dataclass

import numpy as np
import pytest
import torch
from mmaction.registry import MODELS
from mmengine.config import Config

from ifdd_mmaction.analysis import (
    VariantPlan,
    clip_name,
    clip_probabilities,
    disentangle,
    run_variants,
)
from ifdd_mmaction.datasets import DatasetError
from ifdd_mmaction.errors import InputError
from tests.helpers.drawn_clips import DrawnClips, DrawnSource
from tests.helpers.golden import ROOT
from tests.helpers.numeric import assert_close, depth_of

CFG = Config.fromfile(ROOT / 'tests' / 'data' / 'drawn.py')
PLAN = VariantPlan(kinds=('black', 'other_clip'), counts=(1, 2))
GROUPS = list('aabbccc')
PREPROCESSOR = dict(
    type='ActionDataPreprocessor',
    mean=[127.0] * 3,
    std=[64.0] * 3,
    format_shape='NCHW',
)


def ifdd():
    return MODELS.build(copy.deepcopy(CFG.model)).eval()


def recognizer_2d(head, backbone='ResNet', **options):
    model = MODELS.build(
        dict(
            type='Recognizer2D',
            backbone=dict(type=backbone, depth=18, norm_eval=False, **options),
            cls_head=dict(head, num_classes=7, in_channels=512, average_clips='prob'),
            data_preprocessor=PREPROCESSOR,
        )
    ).eval()
    torch.nn.init.normal_(model.cls_head.fc_cls.weight)  # 0.01 leaves all clips alike
    return model


def tsn():
    return recognizer_2d(dict(type='TSNHead'))


def tsm():
    head = dict(type='TSMHead', num_segments=4)
    return recognizer_2d(head, 'ResNetTSM', num_segments=4)


def clips(layout='NCTHW', kind=None, views=1, **options):
    data = copy.deepcopy(CFG.test_dataloader.dataset)
    data.pop('type')
    data.pipeline[0].num_clips = views
    data.pipeline[-2].input_format = layout
    return (kind or DrawnClips)(**dict(data, **options))


def run(model, dataset, folder, plan=PLAN, groups=GROUPS, **options):
    return run_variants(model, dataset, folder, plan, groups, part_size=3, **options)


def predict(model, inputs, name='0'):
    """The probabilities of one clip, as testing gives them."""
    sample = clips()[0]['data_samples']
    found = model.test_step(dict(inputs=[inputs], data_samples=[sample]))
    return clip_probabilities(found[0].pred_score)


@pytest.mark.parametrize('build, layout, views', [
    (ifdd, 'NCTHW', 1), (ifdd, 'NCTHW', 2), (tsn, 'NCHW', 1), (tsm, 'NCHW', 1)
])  # fmt: skip
def test_the_scores_are_those_of_testing(build, layout, views, tmp_path):
    model, dataset = build(), clips(layout, views=views)
    found = run(model, dataset, tmp_path, batch_size=5)
    assert found.num_frames == 4 and found.clips == list('0123456')
    assert set(found.scores) == set(PLAN.names(4))
    for i in (0, 6):
        inputs = dataset[i]['inputs']
        last = inputs.flip(2) if layout == 'NCTHW' else inputs.flip(0)
        for name, clip in (('in order', inputs), ('reversed', last)):
            expected = predict(model, clip)
            depth = depth_of(model)
            assert_close(found.scores[name][i], expected, depth, dtype=torch.float32)
    rows = np.stack(list(found.scores.values()))
    np.testing.assert_allclose(rows.sum(axis=2), 1, rtol=1e-5)
    assert not found.still.any() and found.errors == [''] * 7


def test_a_mean_over_frames_does_not_depend_on_their_order(tmp_path):
    found = run(tsn(), clips('NCHW'), tmp_path).scores
    for name in ('shuffled', 'reversed'):
        np.testing.assert_allclose(found[name], found['in order'], atol=1e-4)
    for name in ('frame 0', 'half the time', 'black 1', 'other_clip 2'):
        assert np.abs(found[name] - found['in order']).max() > 0.01, name


def test_shifted_features_depend_on_the_order_of_frames(tmp_path):
    found = run(tsm(), clips('NCHW'), tmp_path).scores
    assert np.abs(found['reversed'] - found['in order']).max() > 0.01


def test_the_frames_of_the_split_are_recorded(tmp_path):
    model, dataset = ifdd(), clips(views=2)
    found = run(model, dataset, tmp_path)
    assert found.split_frames == 4
    assert found.positions['black 1'].shape == (7, 2, 4)  # two frames of each view
    data = model.data_preprocessor(
        dict(inputs=[dataset[3]['inputs']], data_samples=[dataset[3]['data_samples']])
    )
    with torch.no_grad():
        parts = disentangle(model, data['inputs'])
    expected = torch.stack([parts.frames_d.flatten(), parts.frames_s.flatten()])
    depth = depth_of(model)
    assert_close(found.positions['in order'][3], expected, depth, scale=4.0)
    assert not model.neck._forward_pre_hooks


def test_a_stock_model_has_no_split(tmp_path):
    found = run(tsn(), clips('NCHW'), tmp_path)
    assert found.split_frames is None and found.positions == {}


class StoppedClips(DrawnClips):
    """Interrupted, as by Ctrl-C, when the fifth clip is loaded."""

    def prepare_data(self, idx):
        if idx == 4:
            raise KeyboardInterrupt
        return super().prepare_data(idx)


def test_an_interrupted_run_continues(tmp_path):
    model, plan = ifdd(), VariantPlan(kinds=('noise',), counts=(1,))
    whole = run(model, clips(), tmp_path / 'whole', plan)
    with pytest.raises(KeyboardInterrupt):
        run(model, clips(kind=StoppedClips), tmp_path / 'run', plan)
    log = tmp_path / 'log'
    found = run(model, clips(log=str(log)), tmp_path / 'run', plan)
    for name, scores in whole.scores.items():
        np.testing.assert_array_equal(found.scores[name], scores)
    for name, positions in whole.positions.items():
        np.testing.assert_array_equal(found.positions[name], positions)
    loaded = [line.split()[0] for line in log.read_text().splitlines()]
    assert loaded[1:] == list('3456')  # the first one tells the shape of the clips
    log.unlink()
    run(model, clips(log=str(log)), tmp_path / 'run', plan)
    assert log.read_text().split()[0::2] == ['0']


def test_only_new_variants_are_tested(tmp_path):
    model, few = ifdd(), VariantPlan(kinds=('black',), counts=(1,))
    first = run(model, clips(), tmp_path, few)
    for parameter in model.cls_head.parameters():
        torch.nn.init.zeros_(parameter)  # all classes are as likely now
    found = run(model, clips(), tmp_path)
    for name in found.scores:
        if name in first.scores:
            np.testing.assert_array_equal(found.scores[name], first.scores[name])
        else:
            assert np.ptp(found.scores[name]) < 1e-6, name
    assert 'black 2' in found.scores


@pytest.mark.parametrize('change', [
    dict(plan=PLAN._replace(seed=1)), dict(groups=list('abcdefg')),
    dict(settings=dict(checkpoint='another')),
])  # fmt: skip
def test_scores_of_something_else_are_refused(tmp_path, change):
    model = ifdd()
    one = dict(settings=dict(checkpoint='one'))
    run(model, clips(), tmp_path, **one)
    with pytest.raises(InputError, match='has scores of another'):
        run(model, clips(), tmp_path, **(one | change))


@dataclass
class OddSource(DrawnSource):
    """Clip 2 cannot be read, clip 5 is one frame, repeated."""

    def read(self, indexes):
        if self.name == '2':
            raise DatasetError('2: damaged')
        return super().read([0 for _ in indexes] if self.name == '5' else indexes)


class OddClips(DrawnClips):
    def load_data_list(self):
        infos = super().load_data_list()
        for info in infos:
            info['source'] = OddSource(info['video_id'], info['label'])
        return infos


def test_a_damaged_clip_and_a_clip_of_one_frame_are_named(tmp_path):
    dataset = clips(kind=OddClips)
    dataset.bad_clips = 'count_wrong'
    found = run(ifdd(), dataset, tmp_path, VariantPlan(kinds=('black',), counts=(1,)))
    assert found.still.tolist() == [i == 5 for i in range(7)]
    assert [i for i, error in enumerate(found.errors) if error] == [2]
    assert 'damaged' in found.errors[2]
    scores = found.scores
    np.testing.assert_allclose(scores['reversed'][5], scores['in order'][5], atol=1e-6)


class UnevenClips(DrawnClips):
    def prepare_data(self, idx):
        data = super().prepare_data(idx)
        if idx == 3:
            data['inputs'] = data['inputs'][:, :, :2]
        return data


def test_clips_of_other_lengths_are_refused(tmp_path):
    plan = VariantPlan(kinds=(), counts=())
    with pytest.raises(InputError, match=r'clip 3: .* \(2, 3, 8, 8\), the first'):
        run(ifdd(), clips(kind=UnevenClips), tmp_path, plan)


def test_workers_load_the_same_clips(tmp_path):
    model = ifdd()
    one = run(model, clips(), tmp_path / 'one').scores
    two = run(model, clips(), tmp_path / 'two', num_workers=2).scores
    for name in one:
        np.testing.assert_array_equal(one[name], two[name])


@pytest.mark.parametrize('info, expected', [
    (dict(video_id=7, filename='a.mp4'), '7'),
    (dict(frame_dir='frames/a', label=1), 'frames/a'),
    (dict(label=1), '3'),
])  # fmt: skip
def test_every_dataset_names_its_clips(info, expected):
    assert clip_name(info, 3) == expected


@pytest.mark.parametrize('scores, expected', [
    ([0.2, 0.8], [0.2, 0.8]),
    ([0.0, np.log(3)], [0.25, 0.75]),
    ([[0.2, 0.8], [0.6, 0.4]], [0.4, 0.6]),
    ([[0.0, np.log(3)], [0.0, 0.0]], [0.375, 0.625]),
])  # fmt: skip
def test_probabilities_of_every_average(scores, expected):
    found = clip_probabilities(torch.tensor(scores, dtype=torch.float64))
    np.testing.assert_allclose(found, expected)
