"""``tools/calibrate.py``, what uses its temperature, and the figures."""

import json
import shutil

import cv2
import numpy as np
import pytest
import torch

from ifdd_mmaction.cli import main as ifdd
from tests.helpers.golden import load_tool
from tests.helpers.held_out import make_held_out
from tests.helpers.tools import run_tool

pytestmark = pytest.mark.slow


@pytest.fixture(scope='module')
def held_out(tmp_path_factory):
    return make_held_out(tmp_path_factory.mktemp('held_out'))


@pytest.fixture
def checkpoint(held_out, tmp_path):
    return shutil.copy(held_out[1], tmp_path / 'epoch_1.pth')


def test_fit_test_and_draw_as_the_page_does(held_out, checkpoint, tmp_path):
    config, _, _ = held_out
    report = tmp_path / 'fitted.json'
    said = run_tool(
        'calibrate.py', config, checkpoint, '--device', 'cpu', '--json', report
    ).stdout
    found = json.loads(report.read_text())
    assert '14 validation clips, views of each: 1' in said
    lines = {line.split()[0]: line.split()[1:] for line in said.splitlines() if line}
    assert lines['NLL'] == [f'{found[w]["NLL"]:.4f}' for w in ('before', 'after')]
    assert lines['ECE'][0] == f'{100 * found["before"]["ECE"]:.2f}'
    assert said.endswith(f'temperature {found["temperature"]:.4f}: {checkpoint}\n')

    reports = {}
    for name, options in (('before', []), ('after', ['--calibrated'])):
        dump = tmp_path / f'{name}.json'
        result = run_tool(
            'test.py', config, checkpoint, '--dump', dump, '--work-dir', tmp_path,
            *options, '--cfg-options', 'test_evaluator.calibration=True',
            'test_dataloader.dataset.ann_file=val.csv',
        )  # fmt: skip
        reports[name] = json.loads(dump.read_text())
        # Not in percent: it may be above 1.
        assert f'dfer/NLL: {found[name]["NLL"]:.4f}' in result.stdout
        assert f'dfer/ECE: {100 * found[name]["ECE"]:.2f} %' in result.stdout
        assert reports[name]['calibration']['ECE'] == pytest.approx(found[name]['ECE'])
    assert reports['before']['WAR'] == reports['after']['WAR']

    run_tool(
        'visualization/calibration.py', f'as trained={tmp_path}/before.json',
        tmp_path / 'after.json', '--out', tmp_path / 'figures', '--title', 'Drawn set',
    )  # fmt: skip
    for name in ('reliability.png', 'risk_coverage.png'):
        image = cv2.imread(str(tmp_path / 'figures' / name))
        assert min(image.shape[:2]) > 300 and np.ptp(image) > 200
    numbers = json.loads((tmp_path / 'figures' / 'calibration.json').read_text())
    assert list(numbers) == ['as trained', 'after']
    for model, when in zip(numbers.values(), ('before', 'after'), strict=True):
        assert model['ECE'] == pytest.approx(found[when]['ECE'], abs=1e-6)
        assert model['clips'] == sum(b['clips'] for b in model['bins']) == 14
        gaps = [
            b['clips'] / 14 * abs(b['accuracy'] - b['confidence'])
            for b in model['bins'] if b['clips']
        ]  # fmt: skip
        assert sum(gaps) == pytest.approx(model['ECE'])
        shares = [row['coverage'] for row in model['abstain_below']]
        assert shares == sorted(shares, reverse=True)
        curve = model['risk_coverage']
        assert np.mean(curve['risk']) == pytest.approx(model['AURC'])


def test_the_verb_writes_another_file(held_out, tmp_path, capfd):
    config, original, _ = held_out
    before, out = original.read_bytes(), tmp_path / 'calibrated.pth'
    words = ['calibrate', config, original, '--out', out, '--device', 'cpu']
    assert ifdd([str(word) for word in words]) == 0
    assert f': {out}' in capfd.readouterr().out
    meta = torch.load(out, weights_only=True)['meta']
    assert meta['calibration']['temperature'] > 0
    assert original.read_bytes() == before


def test_what_cannot_be_calibrated_is_one_line(held_out, checkpoint, tmp_path, capfd):
    config, *_ = held_out
    main = load_tool('calibrate.py').main
    damaged = tmp_path / 'damaged.pth'
    damaged.write_bytes(held_out[1].read_bytes()[:5000])
    for arguments, code, message in (
        (['absent.py', checkpoint], 2, 'no config absent.py'),
        ([config, 'absent.pth'], 2, 'no checkpoint absent.pth'),
        ([config, damaged], 3, 'damaged.pth'),
        ([config, checkpoint, '--fold', 9], 2, 'fold 9: DFEWDataset has folds'),
        ([config, checkpoint, '--cfg-options',
          'val_dataloader.dataset.ann_file=absent.csv'], 2, 'absent.csv'),
        ([config, checkpoint, '--cfg-options', 'val_dataloader.dataset.ann_file='],
         2, 'validation clips are in the t'),
        ([config, checkpoint, '--out', tmp_path / 'a.safetensors'], 2, 'suffix .pth'),
    ):  # fmt: skip
        assert main([str(argument) for argument in arguments]) == code, arguments
        lines = capfd.readouterr().err.strip().splitlines()
        assert message in lines[-1] or message in '\n'.join(lines[-2:]), lines


def test_without_a_temperature_every_tool_says_how_to_get_one(
    held_out, checkpoint, tmp_path, capfd
):
    config, *_ = held_out
    video = tmp_path / 'frames'
    video.mkdir()
    for i in range(9):
        cv2.imwrite(str(video / f'{i}.jpg'), np.full((32, 32, 3), 20 * i, np.uint8))
    wanted = f'{checkpoint} has no temperature: fit one with `ifdd calibrate CONFIG'
    model = ['--config', config, '--checkpoint', checkpoint]
    for words in (
        ['infer', video, *model, '--detector', 'none', '--calibrated'],
        ['export', config, checkpoint, tmp_path / 'a.pt2', '--calibrated'],
        ['test', config, checkpoint, '--calibrated'],
    ):
        capfd.readouterr()
        try:
            code = ifdd([str(word) for word in words])
        except SystemExit as end:
            code = end.code
        assert code == 2, words
        assert wanted in capfd.readouterr().err.strip().splitlines()[-1]
    assert not (tmp_path / 'a.pt2').exists()
    result = run_tool('demo_web.py', *model, '--calibrated', check=2)
    (line,) = result.stderr.strip().splitlines()
    assert wanted in line


@pytest.mark.parametrize('content, message', [
    (None, 'does not exist: create it'), ('{}', 'is not a dump of DFERMetric'),
])  # fmt: skip
def test_predictions_that_cannot_be_drawn(tmp_path, capsys, content, message):
    tool = load_tool('visualization/calibration.py')
    path = tmp_path / 'a.json'
    if content:
        path.write_text(content)
    assert tool.main([str(path)]) == 2
    (line,) = capsys.readouterr().err.strip().splitlines()
    assert message in line


def test_two_models_of_one_name_are_refused(tmp_path, capsys):
    tool = load_tool('visualization/calibration.py')
    clip = dict(clip='1', label=0, prediction=0, scores=[0.9, 0.1])
    report = dict(classes=['a', 'b'], confusion_matrix=[[1, 0], [0, 0]], clips=[clip])
    path = tmp_path / 'a.json'
    path.write_text(json.dumps(report))
    assert tool.main([str(path), str(path)]) == 2
    assert 'two models are called a: give NAME=FILE' in capsys.readouterr().err
    assert tool.main([str(path)]) == 0
    found = json.loads((tmp_path / 'calibration.json').read_text())['a']
    assert found['class_errors'] == {'a': pytest.approx(0.1), 'b': None}
