"""The commands of tools/visualization and tools/extract_features.py, on real models."""

import argparse
import csv
import json

import cv2
import numpy as np
import pytest
import torch

from ifdd_mmaction.apis import TrainedModel, add_model_arguments, features
from tests.helpers.figures import DFEW
from tests.helpers.golden import ROOT, load_tool
from tests.helpers.numeric import assert_close, depth_of
from tests.helpers.tiny_models import CONFIGS, draw_set, save_checkpoint
from tests.helpers.tools import run_tool

pytestmark = pytest.mark.slow

KINDS = ('vit', 'cnn')


@pytest.fixture(scope='module')
def data(tmp_path_factory):
    return draw_set(tmp_path_factory.mktemp('drawn') / 'set')


@pytest.fixture(scope='module')
def checkpoints(tmp_path_factory):
    folder = tmp_path_factory.mktemp('checkpoints')
    return {k: save_checkpoint(folder / f'{k}.pth', CONFIGS[k]) for k in KINDS}


@pytest.fixture
def main(data, checkpoints, capfd):
    """Run a tool in this process; return its exit code and its last words."""

    def run(tool, kind, *options, checkpoint=None):
        arguments = [CONFIGS[kind], checkpoint or checkpoints[kind], *options]
        arguments += ['--data-root', data, '--device', 'cpu']
        code = load_tool(tool).main([str(argument) for argument in arguments])
        return code, capfd.readouterr().err

    return run


def load_trained(kind, checkpoints, data):
    parser = argparse.ArgumentParser()
    add_model_arguments(parser)
    arguments = [CONFIGS[kind], checkpoints[kind], '--data-root', data]
    return TrainedModel.from_args(
        parser.parse_args([str(argument) for argument in arguments])
    )


def assert_picture(path):
    image = cv2.imread(str(path))
    assert min(image.shape[:2]) > 200 and np.ptp(image) > 200


@pytest.mark.parametrize('kind', KINDS)
@pytest.mark.parametrize('tool', ['grad_cam', 'clip_split', 'tsne'])
def test_a_picture_of_a_model(main, tmp_path, tool, kind):
    out = tmp_path / 'new' / 'picture.png'
    code, said = main(f'visualization/{tool}.py', kind, '--out', out)
    assert code == 0, said
    assert_picture(out)


def test_a_command_as_a_process(data, checkpoints, tmp_path):
    arguments = CONFIGS['vit'], checkpoints['vit'], '--data-root', data
    out = tmp_path / 'picture.png'
    result = run_tool('visualization/grad_cam.py', *arguments, '--out', out)
    assert str(out) in result.stdout
    assert_picture(out)


@pytest.fixture
def predictions(tmp_path):
    """Write what two folds dumped; every class has other recalls in them."""
    paths = [tmp_path / 'a.json', tmp_path / 'b.json']
    for path, recall in zip(paths, (0.5, 0.9), strict=True):
        report = dict(
            classes=DFEW, recall=dict.fromkeys(DFEW, recall),
            confusion_matrix=np.eye(7, dtype=int).tolist(),
            clips=[
                dict(clip='1', label=k, prediction=k, scores=np.eye(7)[k].tolist())
                for k in range(7)
            ],
        )  # fmt: skip
        path.write_text(json.dumps(report))
    return paths


def test_pictures_of_predictions(predictions, tmp_path, capsys, monkeypatch):
    out = tmp_path / 'picture.png'
    tool = load_tool('visualization/confidences.py')
    assert tool.main([str(predictions[0]), '--out', str(out)]) == 0
    assert_picture(out)
    tool = load_tool('visualization/recall_radar.py')
    drawn = []
    monkeypatch.setattr(
        tool,
        'plot_recall_radar',
        lambda *a, draw=tool.plot_recall_radar: drawn.append(a) or draw(*a),
    )
    ferv = ROOT / 'tools' / 'visualization' / 'baselines_ferv39k.json'
    folds = f'two folds={",".join(map(str, predictions))}'
    arguments = [
        folds,
        str(predictions[0]),
        '--baselines',
        str(ferv),
        '--out',
        str(out),
    ]
    assert tool.main(arguments) == 0
    assert_picture(out)
    assert 'Former-DFER: README of https://' in capsys.readouterr().out
    ((recalls, classes, _),) = drawn
    assert list(recalls) == ['two folds', tmp_path.name, 'Former-DFER']
    assert recalls['two folds'] == pytest.approx([0.7] * 7)
    # In the order of the first model's classes, whatever the file's is.
    assert list(classes) == list(DFEW)
    published = [67.57, 44.16, 51.81, 48.93, 25.09, 10.80, 9.80]
    assert recalls['Former-DFER'] == pytest.approx([r / 100 for r in published])
    assert tool.main([folds, folds, '--out', str(out)]) == 2
    assert 'two models are called two folds' in capsys.readouterr().err


def test_the_explained_class_and_the_clips_can_be_chosen(main, data, tmp_path):
    rows = (data / 'EmoLabel_DataSplit/train(single-labeled)/set_1.csv').read_text()
    first = rows.splitlines()[1].split(',')[0]
    code, said = main(
        'visualization/grad_cam.py', 'cnn', '--split', 'train', '--clips', first,
        '--target', 'Fear', '--out', tmp_path / 'one.jpg',
    )  # fmt: skip
    assert code == 0, said
    assert (tmp_path / 'one.jpg').read_bytes()[:2] == b'\xff\xd8'
    for wrong, message in (
        (['--clips', '99999'], 'no clip 99999'),
        (['--target', 'bored'], 'no class bored'),
        (['--split', 'best'], "split='best'"),
        (['--cfg-options', 'model.neck.split=None', 'model.neck.lifting=None'], 'pth'),
    ):
        code, said = main('visualization/grad_cam.py', 'cnn', *wrong)
        assert code == 2 and message in said and len(said.splitlines()) < 4


def test_classes_of_another_order_are_matched_by_name(main, tmp_path):
    """The same weights under other names: explained is what the name says."""
    tool = load_tool('visualization/grad_cam.py')
    turned = DFEW[1:] + DFEW[:1]
    paths = [
        save_checkpoint(tmp_path / f'{i}.pth', CONFIGS['vit'], classes)
        for i, classes in enumerate((DFEW, [name.upper() for name in turned]))
    ]
    rows = []
    original = tool.plot_cam_overlay
    tool.plot_cam_overlay = lambda found, title: rows.append(found) or original(found)
    try:
        for path in paths:
            code, said = main(
                'visualization/grad_cam.py', 'vit', '--out', tmp_path / 'x.png',
                checkpoint=path,
            )  # fmt: skip
            assert code == 0, said
    finally:
        tool.plot_cam_overlay = original
    for found in rows:
        assert sorted(row.target.lower() for row in found) == sorted(DFEW)
    other = save_checkpoint(tmp_path / 'x.pth', CONFIGS['vit'], [*DFEW[1:], 'bored'])
    code, said = main('visualization/grad_cam.py', 'vit', checkpoint=other)
    assert code == 2 and 'bored' in said


@pytest.mark.parametrize('kind', KINDS)
def test_features_are_one_row_a_clip(main, data, checkpoints, tmp_path, kind):
    names = ['vector', 'x', 'y_s']
    code, said = main(
        'extract_features.py', kind, '--out', tmp_path, '--features', *names,
        '--part-size', 4,
    )  # fmt: skip
    assert code == 0, said
    with (tmp_path / 'index.csv').open(newline='') as file:
        rows = list(csv.DictReader(file))
    listed = data / 'EmoLabel_DataSplit/test(single-labeled)/set_1.csv'
    labels = dict(line.split(',') for line in listed.read_text().split()[1:])
    assert [row['row'] for row in rows] == [str(i) for i in range(14)]
    assert {row['clip'] for row in rows} == set(labels)
    for row in rows:
        assert int(row['label']) == int(labels[row['clip']]) - 1
        assert row['class'] == DFEW[int(row['label'])] and not row['error']
    arrays = {name: np.load(tmp_path / f'{name}.npy') for name in names}
    for array in arrays.values():
        assert array.dtype == np.float32 and array.shape[0] == 14
        assert np.isfinite(array).all() and array.std(axis=0).max() > 0
    assert not (tmp_path / 'parts').exists()
    # The row of a clip is what the head classifies.
    state = torch.load(checkpoints[kind], weights_only=True)['state_dict']
    scores = arrays['vector'] @ state['cls_head.fc_cls.weight'].numpy().T
    scores += state['cls_head.fc_cls.bias'].numpy()
    trained = load_trained(kind, checkpoints, data)
    dataset = trained.dataset()
    with torch.no_grad():
        for i, row in list(enumerate(rows))[::5]:
            clip = trained.load(dataset, i)
            wanted = trained.model.extract_feat(clip.inputs, stage='head')[0][0]
            assert clip.name == row['clip']
            assert_close(scores[i], wanted, depth_of(trained.model))


def test_an_interrupted_extraction_goes_on(main, monkeypatch, tmp_path):
    options = '--part-size', '4', '--cfg-options', 'test_dataloader.num_workers=0'
    whole, broken = tmp_path / 'whole', tmp_path / 'broken'
    assert main('extract_features.py', 'vit', '--out', whole, *options)[0] == 0

    real, seen = features._extract, []

    def interrupted(model, batch, names):
        seen.append(len(batch['data_samples']))
        if len(seen) == 3:
            raise KeyboardInterrupt
        return real(model, batch, names)

    monkeypatch.setattr(features, '_extract', interrupted)
    code, said = main('extract_features.py', 'vit', '--out', broken, *options)
    assert code == 130 and 'continues' in said
    assert not list(broken.glob('*.npy')) and not (broken / 'index.csv').exists()
    # The two batches that were done are not done again.
    seen[:] = [0] * 10
    assert main('extract_features.py', 'vit', '--out', broken, *options)[0] == 0
    assert sum(seen) == 14 - 8
    for name in ('vector.npy', 'index.csv'):
        assert (broken / name).read_bytes() == (whole / name).read_bytes()
    # Nor is anything, once all is done; and other features do not mix with these.
    seen.clear()
    assert main('extract_features.py', 'vit', '--out', broken, *options)[0] == 0
    assert not seen
    code, said = main(
        'extract_features.py', 'vit', '--out', broken, '--fold', 2, *options
    )
    assert code == 2 and 'fold 1, not 2' in said
    assert (broken / 'vector.npy').read_bytes() == (whole / 'vector.npy').read_bytes()


def test_a_clip_that_cannot_be_read(main, data, tmp_path):
    listed = data / 'EmoLabel_DataSplit/test(single-labeled)/set_1.csv'
    name = listed.read_text().splitlines()[3].split(',')[0]
    (frame,) = data.glob(f'Clip/*/{int(name):05d}/9.jpg')
    content = frame.read_bytes()
    try:
        frame.write_bytes(content[:100])
        code, said = main('extract_features.py', 'vit', '--out', tmp_path / 'a')
        assert code == 2 and str(frame) in said
        option = 'test_dataloader.dataset.bad_clips=count_wrong'
        out = tmp_path / 'b'
        code, said = main(
            'extract_features.py', 'vit', '--out', out, '--cfg-options', option
        )
        assert code == 0, said
    finally:
        frame.write_bytes(content)
    with (out / 'index.csv').open(newline='') as file:
        rows = list(csv.DictReader(file))
    unread = [int(row['row']) for row in rows if row['error']]
    assert [rows[i]['clip'] for i in unread] == [name]
    assert str(frame) in rows[unread[0]]['error']
    vectors = np.load(out / 'vector.npy')
    assert np.flatnonzero(np.isnan(vectors).any(axis=1)).tolist() == unread


@pytest.mark.parametrize('content, message', [
    ('{}', 'no file of baselines'), ('[', 'no file of baselines'),
    ('{"baselines": [{"name": "a", "source": "b", "recall": {"happy": 1}}]}', 'happy;'),
])  # fmt: skip
def test_baselines_that_do_not_fit_are_refused(tmp_path, capsys, content, message):
    tool = load_tool('visualization/recall_radar.py')
    path = tmp_path / 'baselines.json'
    path.write_text(content)
    with pytest.raises(tool.WorkDirError, match=message):
        tool.read_baselines(path, DFEW)
    assert tool.main([str(tmp_path / 'absent.json')]) == 2
    assert 'absent.json does not exist' in capsys.readouterr().err
