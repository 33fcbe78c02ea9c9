"""A temperature is fitted on held-out clips, stored, and used where it is asked for."""

import json
import shutil

import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.fileio import get_file_backend
from safetensors.torch import save_file

from ifdd_mmaction.apis import (
    DFERInferencer,
    TorchPredictor,
    build_model,
    build_predictor,
    calibrate,
    test,
)
from ifdd_mmaction.checkpoints import read_checkpoint
from ifdd_mmaction.engine import check_checkpoint
from ifdd_mmaction.errors import InputError
from ifdd_mmaction.evaluation import calibration_scores, fit_temperature, tempered
from tests.helpers.checkpoints import Brightness
from tests.helpers.held_out import LISTS, make_held_out, predict, read_list
from tests.helpers.numeric import assert_close, depth_of

NAMES = ('ECE', 'classwise_ECE', 'AURC', 'Brier', 'NLL')
#: Three clips of each video and their mirror images: six views.
SIX_VIEWS = [
    dict(type='SampleClip', clip_len=8, num_clips=3, test_mode=True),
    dict(type='LoadFrames'),
    dict(type='AddFlippedViews'),
    dict(type='FormatShape', input_format='NCTHW'),
    dict(type='PackActionInputs'),
]


@pytest.fixture(scope='module')
def held_out(tmp_path_factory):
    return make_held_out(tmp_path_factory.mktemp('held_out'))


@pytest.fixture
def checkpoint(held_out, tmp_path):
    """A copy to write into, with its hash, as training leaves it."""
    path = tmp_path / 'epoch_1.pth'
    backend = get_file_backend(backend_args=dict(backend='checkpoint'))
    backend.put(held_out[1].read_bytes(), path)
    return path


def labels_of(data, names):
    rows = read_list(data / 'val.csv')
    return np.array([rows[name] - 1 for name in names])


def test_the_temperature_is_that_of_the_logits_of_the_validation_clips(
    held_out, checkpoint
):
    config, _, data = held_out
    before = checkpoint.read_bytes()
    found = calibrate(config, checkpoint, device='cpu')
    logits = predict(config, checkpoint)
    labels = labels_of(data, logits)
    scores = np.stack(list(logits.values()))
    assert found['temperature'] == pytest.approx(
        fit_temperature(scores, labels), rel=1e-4
    )
    wanted = calibration_scores(tempered(scores, found['temperature']), labels)
    for name in NAMES:
        assert found['after'][name] == pytest.approx(wanted[name], abs=1e-4)
    assert found['after']['NLL'] < found['before']['NLL']
    assert (found['clips'], found['views'], found['unread']) == (14, 1, [])
    absent = {k for k in range(7) if k not in labels}
    assert len(found['classes_without_clips']) == len(absent)
    # What is written: nothing but the metadata is new.
    check_checkpoint(checkpoint)
    assert checkpoint.read_bytes() != before
    content = torch.load(checkpoint, weights_only=True)
    old = torch.load(held_out[1], weights_only=True)
    assert content['meta'].pop('calibration') == json.loads(json.dumps(found))
    assert content['meta'] == old['meta'] and content.keys() == old.keys()
    for key, value in old['state_dict'].items():
        assert torch.equal(content['state_dict'][key], value)
    assert [p.name for p in checkpoint.parent.iterdir()] == [checkpoint.name]


@pytest.mark.parametrize(
    'pipeline, average',
    [(None, 'score'), (None, 'prob'), (SIX_VIEWS, 'score'), (SIX_VIEWS, 'prob')],
)
def test_it_is_fitted_on_what_it_is_applied_to(
    held_out, checkpoint, tmp_path, pipeline, average
):
    """The test of the same clips has the NLL and ECE that were minimized and said."""
    cfg = Config.fromfile(held_out[0])
    cfg.model.cls_head.average_clips = average
    if pipeline:
        cfg.test_dataloader.dataset.pipeline = pipeline
    found = calibrate(cfg, checkpoint, device='cpu')
    assert found['views'] == (6 if pipeline else 1)
    # Now as the test set: labels and clips of the validation split.
    cfg.test_dataloader.dataset.ann_file = 'val.csv'
    cfg.test_evaluator.calibration = True
    for calibrated, when in ((False, 'before'), (True, 'after')):
        cfg.work_dir = str(tmp_path / when)
        metrics = test(cfg, checkpoint, calibrated=calibrated)
        for name in NAMES:
            assert metrics[f'dfer/{name}'] == pytest.approx(
                found[when][name], abs=2e-6
            ), (name, when)


def test_predictors_divide_only_if_asked(held_out, checkpoint):
    config, original, _ = held_out
    temperature = calibrate(config, checkpoint, device='cpu')['temperature']
    clips = torch.randint(0, 256, (3, 1, 3, 8, 32, 32), dtype=torch.uint8)
    plain = TorchPredictor(config, original, 'cpu')
    same = build_predictor(config, checkpoint, 'cpu')
    assert plain.temperature is None and same.temperature is None
    assert np.array_equal(plain(clips), same(clips))
    divided = build_predictor(config, checkpoint, 'cpu', calibrated=True)
    assert divided.temperature == temperature
    logits = np.log(plain(clips))
    wanted = tempered(logits, temperature)
    assert np.abs(wanted - plain(clips)).max() > 0.01
    assert_close(divided(clips), wanted, depth_of(plain.model))
    state = build_model(config, checkpoint, device='cpu', calibrated=True).state_dict()
    for key, value in plain.model.state_dict().items():
        assert torch.equal(state[key], value)


def test_the_inferencer_says_which_temperature_it_used(held_out, checkpoint):
    config = held_out[0]
    temperature = calibrate(config, checkpoint, device='cpu')['temperature']
    options = dict(detector='none', show_progress=False)
    frames = np.random.default_rng(0).integers(0, 256, (30, 32, 32, 3), np.uint8)
    results = [
        DFERInferencer(
            str(config), str(checkpoint), 'cpu', calibrated=calibrated, **options
        ).infer_video(frames)
        for calibrated in (False, True)
    ]
    assert 'temperature' not in results[0].settings
    assert results[1].settings['temperature'] == temperature
    raw, divided = (r.tracks[0].windows[0].probabilities for r in results)
    assert divided == pytest.approx(tempered(np.log([raw]), temperature)[0], abs=1e-5)
    with pytest.raises(InputError, match='calibrated=True: a Brightness is used as it'):
        DFERInferencer(config, predictor=Brightness(), calibrated=True, **options)


def test_a_checkpoint_without_a_temperature_is_refused_where_it_is_asked_for(
    held_out, checkpoint
):
    config = held_out[0]
    for use in (TorchPredictor, build_predictor, build_model):
        with pytest.raises(InputError, match='fit one with `ifdd calibrate CONFIG'):
            use(config, checkpoint, calibrated=True)
    with pytest.raises(InputError, match=r'epoch_1\.pth has no temperature'):
        test(str(config), checkpoint, calibrated=True)


def test_another_file_can_be_written_and_the_first_one_stays(held_out, tmp_path):
    config, original, _ = held_out
    before = original.read_bytes()
    safe = tmp_path / 'a.safetensors'
    content = torch.load(original, weights_only=True)
    meta = json.dumps(content['meta'])
    save_file(content['state_dict'], safe, metadata=dict(meta=meta))
    found = []
    for path in (original, safe):
        out = tmp_path / 'new' / f'b{path.suffix}'
        found.append(calibrate(config, path, out=out, device='cpu'))
        assert read_checkpoint(out)['meta']['calibration'] == found[-1]
        assert TorchPredictor(config, out, 'cpu', calibrated=True).temperature
        # Fitted again from there, it is the same, not the temperature of a temperature.
        again = calibrate(config, out, device='cpu')
        assert again == found[-1]
    assert found[0] == found[1] and original.read_bytes() == before
    with pytest.raises(InputError, match=r'b\.pth: must have the suffix \.safetensors'):
        calibrate(config, safe, out=tmp_path / 'b.pth')


def test_weights_alone_become_a_checkpoint(held_out, tmp_path):
    config, original, _ = held_out
    state = torch.load(original, weights_only=True)['state_dict']
    path = tmp_path / 'weights.pth'
    torch.save(state, path)
    calibrate(config, path, device='cpu')
    content = read_checkpoint(path)
    assert set(content) == {'state_dict', 'meta'}
    assert content['state_dict'].keys() == state.keys()
    assert TorchPredictor(config, path, 'cpu', calibrated=True).temperature


def test_a_file_whose_name_has_its_hash_is_not_changed(held_out, tmp_path):
    import hashlib

    config, original, _ = held_out
    data = original.read_bytes()
    digest = hashlib.sha256(data).hexdigest()[:8]
    path = tmp_path / f'model_20260101-{digest}.pth'
    path.write_bytes(data)
    with pytest.raises(InputError, match='has the hash of its content: give another'):
        calibrate(config, path, device='cpu')
    assert path.read_bytes() == data
    calibrate(config, path, out=tmp_path / 'b.pth', device='cpu')


@pytest.mark.parametrize('loader, part', [('test', 'test'), ('train', 'train')])
def test_clips_that_training_or_test_has_are_refused(
    held_out, checkpoint, loader, part
):
    cfg = Config.fromfile(held_out[0])
    cfg.val_dataloader.dataset = cfg[f'{loader}_dataloader'].dataset
    if loader == 'train':
        # One clip of it is enough.
        (held_out[2] / 'one.csv').write_text('video_name,label\n')
        name = next(iter(read_list(held_out[2] / 'train.csv')))
        with (held_out[2] / 'one.csv').open('a') as file:
            file.write(f'{name},1\n')
        cfg.val_dataloader.dataset = dict(
            cfg.val_dataloader.dataset, ann_file='one.csv', split='test'
        )
    number = len(read_list(held_out[2] / LISTS.format('test', 1)))
    number = number if loader == 'test' else 1
    message = f'^{number} of {number} validation clips are in the {part} split, such as'
    before = checkpoint.read_bytes()
    with pytest.raises(InputError, match=message) as caught:
        calibrate(cfg, checkpoint, device='cpu')
    assert '\n' not in str(caught.value)
    assert checkpoint.read_bytes() == before


def test_clips_of_another_folder_are_other_clips(held_out, checkpoint, tmp_path):
    copy = tmp_path / 'copy'
    shutil.copytree(held_out[2], copy)
    cfg = Config.fromfile(held_out[0])
    cfg.val_dataloader.dataset.update(data_root=str(copy), ann_file='val.csv')
    cfg.train_dataloader.dataset.update(ann_file='', data_root='absent')
    assert calibrate(cfg, checkpoint, device='cpu')['clips'] == 14


def test_classes_in_another_order_are_matched_by_name(held_out, tmp_path):
    config, original, _ = held_out
    content = torch.load(original, weights_only=True)
    turned = [1, 2, 3, 4, 5, 6, 0]
    for key in ('cls_head.fc_cls.weight', 'cls_head.fc_cls.bias'):
        content['state_dict'][key] = content['state_dict'][key][turned]
    classes = content['meta']['dataset_meta']['classes']
    content['meta']['dataset_meta']['classes'] = [classes[k] for k in turned]
    path = tmp_path / 'turned.pth'
    torch.save(content, path)
    found = calibrate(config, path, device='cpu')
    wanted = calibrate(config, original, out=tmp_path / 'b.pth', device='cpu')
    assert found['temperature'] == pytest.approx(wanted['temperature'], rel=1e-5)
    assert sorted(found['classes_without_clips']) == sorted(
        wanted['classes_without_clips']
    )


def test_unread_clips_are_named_and_left_out(held_out, checkpoint):
    config, _, data = held_out
    cfg = Config.fromfile(config)
    name = list(read_list(data / 'val.csv'))[3]
    (frame,) = data.glob(f'Clip/*/{int(name):05d}/5.jpg')
    content = frame.read_bytes()
    try:
        frame.write_bytes(content[:100])
        cfg.val_dataloader.dataset.bad_clips = 'count_wrong'
        found = calibrate(cfg, checkpoint, device='cpu')
    finally:
        frame.write_bytes(content)
    assert found['unread'] == [name] and found['clips'] == 13


def test_a_model_that_is_always_right_has_no_temperature(held_out, checkpoint):
    config, _, data = held_out
    logits = predict(config, checkpoint)
    rows = [f'{name},{int(np.argmax(score)) + 1}' for name, score in logits.items()]
    (data / 'right.csv').write_text('\n'.join(['video_name,label', *rows, '']))
    cfg = Config.fromfile(config)
    cfg.val_dataloader.dataset.ann_file = 'right.csv'
    before = checkpoint.read_bytes()
    with pytest.raises(InputError, match=r'0\.01: 14 of 14 clips are classified corr'):
        calibrate(cfg, checkpoint, device='cpu')
    assert checkpoint.read_bytes() == before


def test_a_config_without_validation_and_an_absent_checkpoint(held_out, checkpoint):
    cfg = Config.fromfile(held_out[0])
    cfg.val_dataloader = None
    with pytest.raises(InputError, match='has no val_dataloader with a dataset'):
        calibrate(cfg, checkpoint)
    with pytest.raises(InputError, match=r'no checkpoint absent\.pth'):
        calibrate(cfg, 'absent.pth')
