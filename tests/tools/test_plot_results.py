"""The three pictures of a run, from the files that a run leaves."""

import functools
import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from ifdd_mmaction.evaluation import DFERMetric

TOOL = Path(__file__).parents[2] / 'tools' / 'visualization' / 'plot_results.py'
CLASSES = ('happy', 'sad', 'neutral', 'angry', 'surprise', 'disgust', 'fear')
PICTURES = ('training_curve.png', 'confusion_matrix.png', 'prediction_strip.png')


@pytest.fixture(scope='module')
def tool():
    spec = importlib.util.spec_from_file_location('plot_results', TOOL)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    # The real resolution is for the end-to-end test.
    module.save_figure = functools.partial(module.save_figure, dpi=30)
    return module


@pytest.fixture
def data(tmp_path):
    """Make DFEW with nine clips of twenty frames; the brightness tells which."""
    root = tmp_path / 'dfew'
    lists = root / 'EmoLabel_DataSplit' / 'test(single-labeled)'
    lists.mkdir(parents=True)
    rows = ['video_name,label']
    for video in range(1, 10):
        rows.append(f'{video},{(video - 1) % 7 + 1}')
        folder = root / 'Clip' / 'clip_24x24_16f' / f'{video:05d}'
        folder.mkdir(parents=True)
        for frame in range(1, 21):
            image = np.full((24, 24, 3), 20 * video + frame, dtype=np.uint8)
            assert cv2.imwrite(str(folder / f'{frame}.jpg'), image)
    (lists / 'set_1.csv').write_text('\n'.join(rows) + '\n')
    return root


@pytest.fixture
def work_dir(tmp_path, data):
    """Make what a run of three epochs and its test leave."""
    path = tmp_path / 'run'
    log = path / '20260101_000000' / 'vis_data' / 'scalars.json'
    log.parent.mkdir(parents=True)
    with log.open('w') as file:
        for epoch in (1, 2, 3):
            for step in range(4 * epoch - 3, 4 * epoch + 1):
                line = dict(
                    lr=1e-5, loss=2 / step, loss_cls=2 / step, loss_context=1e-4
                )
                line.update(epoch=epoch, iter=step, step=step)
                file.write(json.dumps(line) + '\n')
            line = {'dfer/WAR': 0.1 * epoch, 'dfer/UAR': 0.1 * epoch, 'step': epoch}
            file.write(json.dumps(line) + '\n')
    metric = DFERMetric(dump=str(path / 'predictions.json'))
    metric.dataset_meta = dict(classes=CLASSES)
    scores = torch.randn(9, 7, generator=torch.Generator().manual_seed(0))
    labels = [i % 7 for i in range(9)]
    scores[range(5), labels[:5]] = 9.0  # the first five are right
    scores[range(5, 9), labels[5:]] = -9.0
    for i, label in enumerate(labels):
        sample = dict(
            gt_label=torch.tensor([label]), pred_score=scores[i], video_id=str(i + 1)
        )
        metric.process({}, [sample])
    metric.evaluate(9)
    dataset = dict(
        type='DFEWDataset',
        data_root=str(data),
        split='test',
        # Frames are read without what the model wants done to them.
        pipeline=[dict(type='NotInstalled')],
    )
    (path / 'ifdd.py').write_text(
        "default_scope = 'mmaction'\n"
        "custom_imports = dict(imports=['ifdd_mmaction'])\n"
        f'test_dataloader = dict(batch_size=2, dataset={dataset!r})\n'
    )
    return path


def pictures(folder):
    return {path.name for path in folder.glob('*.png')}


@pytest.mark.slow
def test_end_to_end(work_dir):
    environment = {k: v for k, v in os.environ.items() if k != 'DISPLAY'}
    environment['PYTHONPATH'] = str(TOOL.parents[2])
    # A back end that needs a window must not be asked for.
    environment['MPLBACKEND'] = 'TkAgg'
    done = subprocess.run(
        [sys.executable, str(TOOL), str(work_dir)],
        capture_output=True,
        text=True,
        timeout=600,
        env=environment,
    )
    assert done.returncode == 0, done.stderr
    assert 'not drawn' not in done.stderr
    for name in PICTURES:
        assert str(work_dir / name) in done.stdout
        data = (work_dir / name).read_bytes()
        assert data.startswith(b'\x89PNG\r\n\x1a\n')
        image = cv2.imread(str(work_dir / name))
        assert min(image.shape[:2]) > 700 and max(image.shape[:2]) < 4000
        assert 5e3 < len(data) < 3e6 and np.ptp(image) == 255
    assert pictures(work_dir) == set(PICTURES)


def test_figures_show_the_run(tool, work_dir, monkeypatch):
    drawn = {}
    monkeypatch.setattr(
        tool, 'save_figure', lambda figure, path: drawn.update({path.name: figure})
    )
    assert tool.main([str(work_dir), '--clips', '4']) == 0
    assert set(drawn) == set(PICTURES)
    title = drawn['confusion_matrix.png'].axes[0].get_title()
    assert 'WAR 55.56%' in title and '9 clips' in title
    axes = drawn['training_curve.png'].axes
    assert len(axes) == 4 and drawn['training_curve.png'].get_suptitle() == 'run'
    strip = drawn['prediction_strip.png'].axes
    assert len(strip) == 4 * 3
    texts = [[t.get_text() for t in strip[i].texts] for i in range(0, 12, 3)]
    # two that are right, then two that are wrong, each of another class
    assert [t[2] for t in texts] == ['clip 1', 'clip 2', 'clip 6', 'clip 7']
    assert [t[0] for t in texts] == ['happy', 'sad', 'disgust', 'fear']
    assert [t[1][0] for t in texts] == ['✓', '✓', '✗', '✗']
    for axes, video in zip(strip[1::3], (1, 2, 6, 7), strict=True):
        found = [float(np.mean(image.get_array())) for image in axes.images]
        # sixteen of twenty, evenly spread, the first and the last among them
        spread = np.linspace(1, 20, 16).round()
        np.testing.assert_allclose(found, 20 * video + spread, atol=1.5)


def test_out_and_predictions_can_be_elsewhere(tool, work_dir, tmp_path):
    elsewhere = tmp_path / 'other.json'
    (work_dir / 'predictions.json').rename(elsewhere)
    out = tmp_path / 'new' / 'pictures'
    options = ['--predictions', str(elsewhere), '--out', str(out)]
    assert tool.main([str(work_dir), *options]) == 0
    assert pictures(out) == set(PICTURES) and not pictures(work_dir)


def test_without_predictions_the_curve_is_drawn(tool, work_dir, capsys):
    (work_dir / 'predictions.json').unlink()
    assert tool.main([str(work_dir)]) == 0
    assert pictures(work_dir) == {'training_curve.png'}
    said = capsys.readouterr().err
    assert 'confusion_matrix.png and prediction_strip.png not drawn' in said
    dump = work_dir / 'predictions.json'
    assert f'tools/test.py CONFIG CHECKPOINT --dump {dump}' in said


def test_without_scalars_the_predictions_are_drawn(tool, work_dir, capsys):
    next(work_dir.glob('*/vis_data/scalars.json')).write_text('')
    assert tool.main([str(work_dir)]) == 0
    assert pictures(work_dir) == set(PICTURES[1:])
    said = capsys.readouterr().err
    assert 'training_curve.png not drawn' in said
    assert f'tools/train.py CONFIG --work-dir {work_dir}' in said


def test_training_without_validation_is_said(tool, work_dir, capsys):
    log = next(work_dir.glob('*/vis_data/scalars.json'))
    lines = [line for line in log.read_text().splitlines(True) if 'dfer' not in line]
    log.write_text(''.join(lines))
    assert tool.main([str(work_dir)]) == 0
    assert pictures(work_dir) == set(PICTURES)
    assert 'training_curve.png has no validation' in capsys.readouterr().err


def test_nothing_to_draw_is_exit_code_2(tool, tmp_path, capsys):
    assert tool.main([str(tmp_path)]) == 2
    said = capsys.readouterr().err
    assert 'tools/train.py' in said and 'tools/test.py' in said
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    'arguments', [['nowhere'], ['.', '--clips', '0'], ['.', '--config', 'nowhere.py']]
)
def test_wrong_arguments_are_exit_code_2(tool, arguments, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as stop:
        tool.main(arguments)
    assert stop.value.code == 2


def test_several_configs_want_a_choice(tool, work_dir, capsys):
    text = (work_dir / 'ifdd.py').read_text()
    (work_dir / 'other.py').write_text(text.replace('dataset', 'no_dataset'))
    assert tool.main([str(work_dir)]) == 0
    assert pictures(work_dir) == set(PICTURES[:2])
    assert 'ifdd.py, other.py' in capsys.readouterr().err
    assert tool.main([str(work_dir), '--config', str(work_dir / 'other.py')]) == 0
    assert 'has no test_dataloader.dataset' in capsys.readouterr().err
    assert tool.main([str(work_dir), '--config', str(work_dir / 'ifdd.py')]) == 0
    assert pictures(work_dir) == set(PICTURES)


def test_predictions_of_other_clips_are_no_strip(tool, work_dir, data, capsys):
    path = next(data.glob('EmoLabel_DataSplit/*/set_1.csv'))
    path.write_text(path.read_text().replace('\n1,1\n', '\n1,2\n'))
    assert tool.main([str(work_dir)]) == 0
    assert pictures(work_dir) == set(PICTURES[:2])
    said = capsys.readouterr().err
    assert 'clip 1 with label 0 is not in the test set' in said


def test_absent_and_broken_frames_are_named(tool, work_dir, data, capsys):
    frame = data / 'Clip' / 'clip_24x24_16f' / '00001' / '20.jpg'
    frame.write_bytes(frame.read_bytes()[:300])
    assert tool.main([str(work_dir)]) == 0
    assert f'prediction_strip.png not drawn: {frame}' in capsys.readouterr().err
    data.rename(data.with_name('moved'))
    assert tool.main([str(work_dir)]) == 0
    said = capsys.readouterr().err
    assert 'prediction_strip.png not drawn' in said and f'no folder {data}' in said
    assert pictures(work_dir) == set(PICTURES[:2])
