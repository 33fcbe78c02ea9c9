"""The command ``ifdd``: what it writes, and what it says of bad input."""

import csv
import json
from pathlib import Path

import numpy as np
import pytest

from ifdd_mmaction.cli import main
from tests.apis.models import CONFIG, DFEW, save_checkpoint
from tests.scenes import numbered_frames, scene, write_video
from tests.tools.runs import run_tool

FRAMES = [scene([(160 + 2 * i, 180, 70)], smile=i / 50) for i in range(50)]


@pytest.fixture(scope='module')
def model(tmp_path_factory):
    checkpoint = save_checkpoint(tmp_path_factory.mktemp('model') / 'a.pth')
    return ['--config', str(CONFIG), '--checkpoint', str(checkpoint), '--quiet']


def test_the_tool_writes_tables_and_pictures(tmp_path, model):
    video = write_video(tmp_path / 'my video.mp4', FRAMES)
    out = tmp_path / 'out'
    result = run_tool(
        'infer.py', video, *model, '--out-dir', out, '--detect-every', 5,
        '--window', 1, '--stride', 0.25,
    )  # fmt: skip
    assert (
        'frames a second' in result.stdout and 'face 1: 0.0 to 1.8 s' in result.stdout
    )
    folder = out / 'my video'
    assert {path.name for path in folder.iterdir()} == {
        'emotions.json', 'emotions.csv', 'timeline.png', 'moments.png', 'annotated.mp4'
    }  # fmt: skip
    rows = list(csv.DictReader((folder / 'emotions.csv').open()))
    assert len(rows) == 5
    assert list(rows[0]) == ['video', 'track', 'start', 'end', 'emotion', *DFEW]
    data = json.loads((folder / 'emotions.json').read_text())
    assert data['frames'] == 50 and len(data['tracks'][0]['frames']) == 46


def test_a_model_of_the_zoo_needs_no_files(tmp_path):
    video = write_video(tmp_path / 'clip.mp4', FRAMES)
    out = tmp_path / 'out'
    command = ['infer', str(video), '--out-dir', str(out), '--quiet', '--no-pictures']
    assert main([*command, '--config', 'ifdd_vit_sample']) == 0
    data = json.loads((out / 'clip' / 'emotions.json').read_text())
    weights = Path(data['settings']['checkpoint'])
    assert weights.name.startswith('ifdd_vit_sample_') and weights.is_file()
    assert data['classes'] == list(DFEW)


@pytest.mark.parametrize(
    'config, message',
    [
        ('ifdd_vit_samples', "no model 'ifdd_vit_samples' in the zoo"),
        ('ifdd_vit_dfew', 'no checkpoint is released for ifdd_vit_dfew'),
        (str(CONFIG), 'give the path of a checkpoint'),
    ],
)
def test_without_a_checkpoint_the_zoo_has_to_have_one(tmp_path, capfd, config, message):
    video = write_video(tmp_path / 'clip.mp4', FRAMES)
    assert main(['infer', str(video), '--config', config]) == 2
    (line,) = capfd.readouterr().err.strip().splitlines()
    assert message in line


def absent(path):
    pass


def empty(path):
    path.touch()


def text(path):
    path.write_text('no video\n' * 99)


def one_frame(path):
    write_video(path, FRAMES[:1])


def no_face(path):
    write_video(path, numbered_frames(8))


@pytest.mark.parametrize(
    'make, message',
    [
        (absent, 'no such file'),
        (empty, 'an empty file'),
        (text, 'no video, cut off'),
        (one_frame, '1 frame'),
        (no_face, 'found no face in 8 frames'),
    ],
)
def test_a_bad_video_is_one_line_and_exit_code_2(tmp_path, model, capfd, make, message):
    path = tmp_path / 'bad.mp4'
    make(path)
    out = tmp_path / 'out'
    assert main(['infer', str(path), *model, '--out-dir', str(out)]) == 2
    lines = capfd.readouterr().err.strip().splitlines()
    assert len(lines) == 1 and str(path) in lines[0] and message in lines[0]
    assert not out.exists()


def test_one_bad_video_does_not_stop_the_others(tmp_path, model, capfd):
    folder = tmp_path / 'videos'
    folder.mkdir()
    (folder / 'a.mp4').touch()
    write_video(folder / 'b.mp4', FRAMES[:10])
    write_video(folder / 'b.mkv', FRAMES[:10])
    out = tmp_path / 'out'
    command = ['infer', str(folder), *model, '--out-dir', str(out), '--no-pictures']
    assert main(command) == 2
    assert '1 of 3 videos failed' in capfd.readouterr().err
    names = [p.relative_to(out).as_posix() for p in out.rglob('*.csv')]
    assert sorted(names) == ['b/emotions.csv', 'b_2/emotions.csv']
    paths = {
        json.loads(p.read_text())['video'].rsplit('/')[-1] for p in out.rglob('*.json')
    }
    assert paths == {'b.mkv', 'b.mp4'}


@pytest.mark.parametrize(
    'arguments, message',
    [
        (['clip', '--config', 'absent.py'], 'no config absent.py'),
        (['clip', '--checkpoint', 'absent.pth'], 'no checkpoint absent.pth'),
        (['clip', '--stride', '0'], 'stride=0'),
        (['https://example.org/a.mp4'], 'a URL'),
        (['77'], 'camera 77 cannot be opened'),
        (['77', '--checkpoint', 'absent.pth'], 'no checkpoint absent.pth'),
        (['clip', '--device', 'cuda:99'], 'device cuda:99'),
        (['clip', '--device', 'cheese'], 'device cheese'),
    ],
)
def test_other_bad_input_is_one_line_too(
    tmp_path, model, capfd, monkeypatch, arguments, message
):
    monkeypatch.chdir(tmp_path)
    assert main(['infer', *model, *arguments]) == 2
    error = capfd.readouterr().err.strip().splitlines()[-1]
    assert error.startswith('ifdd: ') and message in error


def test_where_nothing_can_be_written_is_one_line(tmp_path, model, capfd):
    video = write_video(tmp_path / 'a.mp4', FRAMES[:10])
    command = ['infer', str(video), *model, '--detector', 'none', '--out-dir']
    assert main([*command, str(video)]) == 2
    (line,) = capfd.readouterr().err.strip().splitlines()
    assert line.startswith('ifdd: ') and str(video) in line


def test_progress_leaves_no_empty_lines_in_a_file(tmp_path, model, capfd):
    video = write_video(tmp_path / 'a.mp4', FRAMES[:10])
    shown = [option for option in model if option != '--quiet']
    command = ['infer', str(video), *shown, '--detector', 'none', '--no-pictures']
    assert main([*command, '--out-dir', str(tmp_path)]) == 0
    assert capfd.readouterr().err == ''


def test_folders_of_images_are_clips(tmp_path, model):
    from tests.video.test_sources import write_images

    folder = write_images(tmp_path / '00001')
    out = tmp_path / 'out'
    command = [
        'infer',
        str(folder),
        *model,
        '--out-dir',
        str(out),
        '--detector',
        'none',
    ]
    assert main([*command, '--no-video', '--fps', '10']) == 0
    data = json.loads((out / '00001' / 'emotions.json').read_text())
    assert data['seconds'] == 1.0 and data['settings']['crop'] is None
    assert np.isclose(sum(data['tracks'][0]['windows'][0]['smoothed']), 1, atol=1e-3)
    assert not (out / '00001' / 'annotated.mp4').exists()
