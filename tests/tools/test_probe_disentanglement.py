"""The probe of a real checkpoint, on a small drawn set."""

import json
import shutil

import cv2
import numpy as np
import pytest
import torch
from mmaction.registry import MODELS
from mmengine.config import Config
from mmengine.registry import init_default_scope

from tests.helpers.golden import load_tool
from tests.helpers.numeric import assert_close
from tests.helpers.tools import TINY, run_tool

pytestmark = pytest.mark.slow

TOOL = 'analysis/probe_disentanglement.py'
RESULTS = ('disentanglement.md', 'disentanglement.json', 'disentanglement.png')


@pytest.fixture(scope='module')
def data(tmp_path_factory):
    """Ten subjects, two of them in each test fold."""
    root = tmp_path_factory.mktemp('drawn') / 'set'
    draw = load_tool('data/make_sample_dfew.py').main
    assert draw([str(root), '--subjects', '10', '--size', '32', '--workers', '1']) == 0
    return root


def save_model(path, fold=1, **neck):
    cfg = Config.fromfile(TINY)
    cfg.merge_from_dict(dict(model=dict(neck=neck)))
    init_default_scope('mmaction')
    torch.manual_seed(0)
    state = MODELS.build(cfg.model).state_dict()
    meta = dict(epoch=3, seed=5, dataset_meta=dict(fold=fold))
    torch.save(dict(state_dict=state, meta=meta), path)
    return path


@pytest.fixture(scope='module')
def checkpoint(tmp_path_factory):
    return save_model(tmp_path_factory.mktemp('run') / 'epoch_3.pth')


def seen_envelope(data, fold=1):
    """The intensity in the middle eight frames of the emotional test clips."""
    rows = np.loadtxt(data / 'clips.csv', int, delimiter=',', skiprows=1)
    test = data / f'EmoLabel_DataSplit/test(single-labeled)/set_{fold}.csv'
    listed = np.loadtxt(test, int, delimiter=',', skiprows=1)[:, 0]
    shown = np.isin(rows[:, 0], listed) & (rows[:, 1] != 3)
    return np.load(data / 'envelope.npy').astype(float)[shown, 4:12]


def test_a_checkpoint_is_measured(data, checkpoint, tmp_path):
    out = tmp_path / 'new' / 'out'
    result = run_tool(TOOL, TINY, checkpoint, '--data-root', data, '--out', out)
    assert sorted(p.name for p in out.iterdir()) == sorted(RESULTS)
    report = json.loads((out / 'disentanglement.json').read_text())
    facts = dict(
        epoch=3, seed=5, fold=1, split='ISSM', lifting='LADM', train_clips=56,
        test_clips=14, test_subjects=2, timed_clips=12, num_frames=4,
    )  # fmt: skip
    assert facts.items() <= report.items()
    groups = report['timing']['groups']
    envelope = seen_envelope(data)
    every = groups['every frame']['intensity']['mean']
    assert_close(every, envelope.mean(), envelope.size)
    # Each of four frames of the feature stands for two of the clip.
    odd = envelope.reshape(12, 4, 2).mean(axis=2)[:, 1::2].mean()
    found = groups['interval dynamics']['intensity']['mean']
    assert_close(found, odd, envelope.size)
    gain = report['timing']['differences']['dynamics - interval dynamics']['intensity']
    expected = groups['dynamics']['intensity']['mean'] - odd
    assert_close(gain['mean'], expected, envelope.size, scale=1.0)
    assert gain['low'] <= gain['mean'] <= gain['high']
    probes = report['probes']
    assert probes['chance'] == pytest.approx(dict(classes=1 / 7, identity=1 / 2))
    sizes = {name: found['size'] for name, found in probes['features'].items()}
    assert sizes == dict(X=64, X_S=32, X_D=32, Y_S=32, Y_D=32, v=16)
    for found in probes['features'].values():
        for kind in ('classes', 'identity'):
            correct = 14 * found[kind]['mean']
            assert correct == pytest.approx(round(correct))
    text = (out / 'disentanglement.md').read_text()
    assert f'| every frame | {every:.3f} [' in text and text in result.stdout
    image = cv2.imread(str(out / 'disentanglement.png'))
    assert min(image.shape[:2]) > 500 and np.ptp(image) == 255


@pytest.fixture
def main(data, capfd):
    """Run the tool in this process and return its exit code and its last words."""

    def run(checkpoint, *options, root=data, config=TINY):
        arguments = [config, checkpoint, '--data-root', root, '--clips', 0, *options]
        code = load_tool(TOOL).main([str(argument) for argument in arguments])
        return code, capfd.readouterr().err

    return run


def with_views(path, *added, **sampled):
    """Write a config whose test pipeline makes several views of a clip."""
    cfg = Config.fromfile(TINY)
    steps = cfg.test_dataloader.dataset.pipeline
    steps[0].update(sampled)
    at = next(i for i, step in enumerate(steps) if step.type == 'FormatShape')
    cfg.test_dataloader.dataset.pipeline = [*steps[:at], *added, *steps[at:]]
    cfg.dump(path)
    return path


def test_the_interval_split_gains_nothing_on_itself(main, tmp_path):
    split = dict(type='IntervalSplit')
    (tmp_path / 'run').mkdir()
    checkpoint = save_model(tmp_path / 'run' / 'epoch_3.pth', split=split)
    # Of a clip and its mirror image it looks at the first.
    config = with_views(tmp_path / 'mirrored.py', dict(type='AddFlippedViews'))
    options = ['--cfg-options', 'model.neck.split.type=IntervalSplit']
    code, said = main(
        checkpoint, '--fold', 2, '--pooling', 'all', *options, config=config
    )
    assert code == 0
    assert 'trained on fold 1; subjects of the test split of fold 2 may not be' in said
    # Beside the checkpoint, and without a picture.
    names = {p.name for p in checkpoint.parent.iterdir()}
    assert names == {checkpoint.name, *RESULTS[:2]}
    report = json.loads((checkpoint.parent / 'disentanglement.json').read_text())
    assert report['split'] == 'IntervalSplit' and report['fold'] == 2
    zero = dict(mean=0, low=0, high=0)
    found = report['timing']['differences']['dynamics - interval dynamics']
    assert found == dict(intensity=zero, change=zero)
    assert report['timing']['frames']['dynamics'] == dict(mean=[1, 3], std=[0, 0])
    assert report['probes']['features']['Y_D']['size'] == 16


def test_several_clips_of_a_video_are_refused(main, checkpoint, tmp_path):
    config = with_views(tmp_path / 'clips.py', num_clips=3)
    code, said = main(checkpoint, config=config)
    assert code == 2 and 'makes 3 views of a clip, of other frames' in said


def test_a_neck_that_splits_nothing_is_refused(main, tmp_path):
    checkpoint = save_model(tmp_path / 'x.pth', split=None, lifting=None)
    options = ['model.neck.split=None', 'model.neck.lifting=None']
    code, said = main(checkpoint, '--cfg-options', *options)
    assert code == 2 and 'splits no clip' in said
    assert [p.name for p in tmp_path.iterdir()] == ['x.pth']


@pytest.mark.parametrize('damage, message', [
    ('no envelope', 'envelope.npy does not exist'),
    ('absent clip', 'is not in clips.csv'),
    ('other label', 'in the list of its fold and'),
    ('other length', 'but 12 numbers in envelope.npy'),
])  # fmt: skip
def test_data_that_does_not_fit_is_named(
    main, data, checkpoint, tmp_path, damage, message
):
    root = tmp_path / 'set'
    root.mkdir()
    (root / 'Clip').symlink_to(data / 'Clip')
    (root / 'EmoLabel_DataSplit').symlink_to(data / 'EmoLabel_DataSplit')
    shutil.copy(data / 'clips.csv', root)
    envelope = np.load(data / 'envelope.npy')
    lines = (data / 'clips.csv').read_text().splitlines()
    if damage == 'absent clip':
        lines = [lines[0], *(f'9{line}' for line in lines[1:])]
    elif damage == 'other label':
        lines = [lines[0], *(f'{x.split(",")[0]},1,0' for x in lines[1:])]
    elif damage == 'other length':
        envelope = envelope[:, :12]
    (root / 'clips.csv').write_text('\n'.join(lines))
    if damage != 'no envelope':
        np.save(root / 'envelope.npy', envelope)
    code, said = main(checkpoint, root=root)
    assert code == 2 and message in said


def test_a_checkpoint_that_does_not_fit_is_refused(main, tmp_path):
    wrong = save_model(tmp_path / 'wrong.pth', lifting=None)
    code, said = main(wrong)
    assert code == 2 and 'does not match the model' in said and 'neck.lifting' in said
    torch.save(dict(state_dict={}, code=Config), tmp_path / 'unsafe.pth')
    code, said = main(tmp_path / 'unsafe.pth')
    assert code == 2 and 'unsafe.pth refused' in said


def test_wrong_arguments(main, checkpoint):
    for options in (['--clips', '-1'], ['--pooling', 'no']):
        with pytest.raises(SystemExit) as stop:
            main(checkpoint, *options)
        assert stop.value.code == 2
    with pytest.raises(SystemExit):
        main('nowhere.pth')
