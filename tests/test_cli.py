"""The command ``ifdd``: its verbs are the tools; what ``ifdd infer`` writes."""

import csv
import hashlib
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from ifdd_mmaction.cli import (
    VERBS,
    cfg_option_words,
    describe,
    exit_code,
    main,
    parse_cfg_options,
)
from ifdd_mmaction.errors import InputError
from ifdd_mmaction.notice import print_notice
from tests.helpers.checkpoints import CONFIG, DFEW, save_checkpoint
from tests.helpers.golden import ROOT
from tests.helpers.layouts import make_dfew
from tests.helpers.processes import run_script
from tests.helpers.scenes import numbered_frames, scene, write_video
from tests.helpers.tools import TINY, data_options, run_tool

LOADERS = ('train', 'val', 'test')
FRAMES = [scene([(160 + 2 * i, 180, 70)], smile=i / 50) for i in range(50)]


@pytest.fixture(scope='module')
def model(tmp_path_factory):
    checkpoint = save_checkpoint(tmp_path_factory.mktemp('model') / 'a.pth')
    return ['--config', str(CONFIG), '--checkpoint', str(checkpoint), '--quiet']


@pytest.fixture(autouse=True)
def _notice():
    """Print the notice of this process before a test looks at what is printed."""
    print_notice()


def test_the_notice_is_printed_once(capfd):
    print_notice()
    assert capfd.readouterr().err == ''
    print_notice.cache_clear()
    print_notice()
    lines = capfd.readouterr().err.splitlines()
    assert len(lines) == 2 and 'not what a person feels' in lines[0]
    assert 'article 5(1)(f)' in lines[1] and 'article 50(3)' in lines[1]
    page = Path(lines[1].split()[-1])
    assert (ROOT / page).is_file()


@pytest.mark.slow
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
        'expressions.json', 'expressions.csv', 'emotions.json', 'emotions.csv',
        'timeline.png', 'moments.png', 'annotated.mp4',
    }  # fmt: skip
    rows = list(csv.DictReader((folder / 'expressions.csv').open()))
    assert len(rows) == 5
    assert list(rows[0]) == ['video', 'track', 'start', 'end', 'expression', *DFEW]
    data = json.loads((folder / 'expressions.json').read_text())
    assert data['frames'] == 50 and len(data['tracks'][0]['frames']) == 46
    assert (folder / 'emotions.json').read_text() == json.dumps(data, indent=1)
    # What it is, and where it is prohibited, is said once.
    assert result.stderr.count('not what a person feels') == 1
    assert result.stderr.count('article 5(1)(f)') == 1


def test_a_class_that_is_too_improbable_is_not_named(tmp_path, model, capfd):
    video = write_video(tmp_path / 'clip.mp4', FRAMES)
    words = ['infer', str(video), *model, '--no-video', '--window', '1']
    out = [tmp_path / 'named', tmp_path / 'unsure']
    assert main([*words, '--out-dir', str(out[0])]) == 0
    assert 'not sure' not in capfd.readouterr().out
    assert main([*words, '--out-dir', str(out[1]), '--abstain-below', '0.99']) == 0
    assert 'not sure in 3 windows' in capfd.readouterr().out
    files = [folder / 'clip' / 'expressions.json' for folder in out]
    named, unsure = (json.loads(file.read_text()) for file in files)
    assert 'abstain_below' not in named['settings']
    assert unsure['settings']['abstain_below'] == 0.99
    for track, other in zip(named['tracks'], unsure['tracks'], strict=True):
        for window, same in zip(track['windows'], other['windows'], strict=True):
            name, other = window.pop('expression'), same.pop('expression')
            assert name in DFEW and other == 'not sure'
            assert (window.pop('emotion'), same.pop('emotion')) == (name, other)
            assert window == same  # the probabilities stay
    with (out[1] / 'clip' / 'expressions.csv').open() as file:
        assert {row['expression'] for row in csv.DictReader(file)} == {'not sure'}
    # No moment is sure enough to be drawn as one of a class.
    assert (out[0] / 'clip' / 'moments.png').is_file()
    assert not (out[1] / 'clip' / 'moments.png').exists()


def test_a_model_of_the_zoo_needs_no_files(tmp_path):
    video = write_video(tmp_path / 'clip.mp4', FRAMES)
    out = tmp_path / 'out'
    command = ['infer', str(video), '--out-dir', str(out), '--quiet', '--no-pictures']
    assert main([*command, '--config', 'ifdd_vit_sample']) == 0
    data = json.loads((out / 'clip' / 'expressions.json').read_text())
    weights = Path(data['settings']['checkpoint'])
    assert weights.name.startswith('ifdd_vit_sample_') and weights.is_file()
    assert data['classes'] == list(DFEW)


@pytest.mark.parametrize(
    'config, message',
    [
        ('ifdd_vit_samples', "no model 'ifdd_vit_samples' in the zoo"),
        ('ifdd_vit_dfew', 'no checkpoint is published for ifdd_vit_dfew'),
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
    files = ('emotions.csv', 'expressions.csv')
    assert sorted(names) == [
        f'{name}/{file}' for name in ('b', 'b_2') for file in files
    ]
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
        (['gopher://example.org/a'], 'gopher is not a scheme of streams'),
        (['77'], 'camera 77: no frame has arrived'),
        (['clip', '--abstain-below', '1.5'], 'abstain_below=1.5: must be from 0 to 1'),
        (['clip', '--abstain-below', 'nan'], 'abstain_below=nan: must be from 0 to 1'),
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
    data = json.loads((out / '00001' / 'expressions.json').read_text())
    assert data['seconds'] == 1.0 and data['settings']['crop'] is None
    assert np.isclose(sum(data['tracks'][0]['windows'][0]['smoothed']), 1, atol=1e-3)
    assert not (out / '00001' / 'annotated.mp4').exists()


def test_without_a_config_the_model_of_real_faces_answers(tmp_path):
    clips = ROOT / 'tests' / 'data' / 'photo_faces' / 'Clip' / 'clip_80x80_16f'
    happy = clips / '04040'
    command = ['infer', str(happy), '--detector', 'none', '--fps', '8', '--quiet']
    assert main([*command, '--no-pictures', '--out-dir', str(tmp_path)]) == 0
    data = json.loads((tmp_path / happy.name / 'expressions.json').read_text())
    settings = data['settings']
    assert settings['temperature'] > 0 and settings['abstain_below'] == 0.4
    assert data['tracks'][0]['windows'][0]['expression'] == 'happy'


def test_weights_without_their_config_are_refused(capfd):
    assert main(['infer', 'a.mp4', '--checkpoint', 'a.pth']) == 2
    assert '--checkpoint needs the --config' in capfd.readouterr().err


def ifdd(*words):
    """Run ``ifdd`` in a process that has the imports done, with the threads of a tool.

    Sums of floats depend on their number.
    """
    command = [ROOT / 'ifdd_mmaction' / '__main__.py', *words]
    return run_script(command, env={**os.environ, 'OMP_NUM_THREADS': '1'})


def test_help_has_a_line_for_each_verb(capfd):
    assert main(['--help']) == 0
    lines = capfd.readouterr().out.splitlines()
    shown = [line.split()[0] for line in lines if line.startswith('  ')]
    assert shown == list(VERBS)
    assert shown == [
        'train', 'test', 'infer', 'export', 'calibrate', 'zoo', 'prepare', 'kfold',
        'doctor',
    ]  # fmt: skip


@pytest.mark.parametrize('verb, near', [('trian', 'train'), ('Zoo', 'zoo')])
def test_an_unknown_verb_is_one_line_with_the_nearest(verb, near, capfd):
    assert main([verb, '--seed', '1']) == 2
    said = capfd.readouterr()
    assert said.err == f'ifdd: no verb {verb}, do you mean {near}?\n'
    assert said.out == ''


SAME = {
    'train': [['none.py'], [TINY, '--fold', 6], [TINY, '--seed', 'x'], ['--help']],
    'test': [[TINY, 'none.pth'], [TINY, __file__, '--dump', 'x.csv'], ['--help']],
    'infer': [['absent.mp4', '--config', 'absent.py'], ['--help']],
    'export': [[TINY, 'none.pth', 'x.pb'], [TINY, 'none.pth', 'x.pt2'], ['--help']],
    'calibrate': [[TINY, 'none.pth'], [TINY, 'none.pth', '--fold', 'x'], ['--help']],
    'zoo': [['list'], ['list', '*vit*', '--all'], ['download', 'x'], ['x'], ['--help']],
    'prepare': [['dfew', 'absent'], ['dfew', '.', '--workers', 0], ['--help']],
    'kfold': [[TINY, '--folds', 'a'], [TINY, '--folds', 9], ['--help']],
    # Not a check whose finding changes from run to run, as that of the free space.
    'doctor': [['none'], ['python', '--json', 'no/folder/x.json'], ['--help']],
}


@pytest.mark.parametrize('verb', SAME)
def test_a_verb_says_and_ends_as_its_tool(verb):
    tool, _ = VERBS[verb]
    for arguments in SAME[verb]:
        expected = run_tool(tool, *arguments, check=None)
        found = ifdd(verb, *arguments)
        name = tool.rpartition('/')[2]
        for stream in ('stdout', 'stderr'):
            # Lines of a usage are broken elsewhere: the name is of another length.
            theirs = getattr(expected, stream).replace(name, f'ifdd {verb}')
            assert ''.join(getattr(found, stream).split()) == ''.join(theirs.split())
        assert found.returncode == expected.returncode == (
            0 if arguments[0] in ('--help', 'list') else 2
        )  # fmt: skip


@pytest.mark.slow
def test_training_and_testing_by_verb_give_what_the_tools_give(tmp_path):
    data = make_dfew(tmp_path / 'dfew', clips_per_class=1, frames=10)
    options = ['--cfg-options', *data_options(data, *LOADERS), 'train_cfg.max_epochs=1']
    sums, reports = [], []
    for name, run in (('verb', ifdd), ('tool', lambda v, *w: run_tool(f'{v}.py', *w))):
        work, dump = tmp_path / name, tmp_path / f'{name}.json'
        common = ['--work-dir', work, *options]
        assert run('train', TINY, '--seed', 3, *common).returncode == 0
        checkpoint = work / 'epoch_1.pth'
        result = run('test', TINY, checkpoint, '--dump', dump, *common)
        assert 'recall happy' in result.stdout
        sums.append(re.findall(r'^dfer/.*|^  recall.*', result.stdout, re.MULTILINE))
        reports.append(json.loads(dump.read_text()))
    assert sums[0] == sums[1] and reports[0] == reports[1]
    damaged = tmp_path / 'damaged.pth'
    damaged.write_bytes(checkpoint.read_bytes()[:5000])
    assert ifdd('test', TINY, damaged, *options).returncode == 3


def test_a_checkpoint_of_the_zoo_is_put_into_a_folder(tmp_path, capfd):
    assert main(['zoo', 'list']) == 0
    assert (
        'ifdd_vit_sample  happy, sad, neutral, angry, surprise, disgust, fear  '
        'Drawn-Sample  0.27 M parameters  WAR 81.55 %, UAR 81.55 %, F1 82.28 %'
    ) in capfd.readouterr().out.splitlines()
    words = ['zoo', 'download', 'ifdd_vit_sample', '--out', str(tmp_path / 'zoo')]
    assert main(words) == 0
    config, checkpoint = sorted((tmp_path / 'zoo').iterdir())
    digest = hashlib.sha256(checkpoint.read_bytes()).hexdigest()
    assert digest[:8] in checkpoint.name and config.name == 'ifdd_vit_sample.py'
    # The two belong together, and to nothing else.
    video = write_video(tmp_path / 'clip.mp4', FRAMES)
    words = ['--config', config, '--checkpoint', checkpoint, '--no-pictures']
    out = tmp_path / 'out'
    result = ifdd('infer', video, *words, '--out-dir', out, '--quiet')
    assert result.returncode == 0, result.stderr
    assert (out / 'clip' / 'expressions.csv').is_file()


@pytest.mark.slow
def test_the_module_is_the_same_command():
    command = [sys.executable, '-W', 'ignore', '-m', 'ifdd_mmaction']
    for words in ([], ['tets']):
        result = subprocess.run(
            [*command, *words], cwd=ROOT, capture_output=True, text=True
        )
        expected = ifdd(*words)
        assert result.returncode == expected.returncode
        assert (result.stdout, result.stderr) == (expected.stdout, expected.stderr)


def test_a_verb_leaves_the_arguments_and_the_path_as_they_were(capfd):
    before = sys.argv, list(sys.path)
    assert main(['zoo', 'download', 'x']) == 2
    assert before == (sys.argv, sys.path)
    assert "no model 'x' in the zoo" in capfd.readouterr().err


@pytest.mark.parametrize(
    'value', [3, 0.5, True, None, 'adam', [1, 2], [8, 'a'], (1, 2)]
)
def test_options_are_written_as_words_and_read_again(value):
    words = cfg_option_words({'a.b': value, 'c': 1})
    assert parse_cfg_options(words) == {'a.b': value, 'c': 1}
    assert cfg_option_words(words) == words


@pytest.mark.parametrize('value', [{'type': 'X'}, '3', 'a,b', object])
def test_what_a_command_line_cannot_hold_is_refused(value):
    with pytest.raises(InputError, match=r'^a\.b=.*: write it into a config file'):
        cfg_option_words({'a.b': value})


def test_an_error_of_no_kind_that_is_known_is_not_hidden():
    def fail():
        raise FileNotFoundError(2, 'No such file', 'x')

    with pytest.raises(FileNotFoundError):
        exit_code(fail)


@pytest.mark.parametrize('doc, expected', [
    ('Check a dataset: ``python x``.\n\nMore.', 'Check a dataset'),
    ('Train and test every fold.\n', 'Train and test every fold'),
    (None, ''),
])  # fmt: skip
def test_what_a_tool_is_for_is_the_first_line_of_its_docstring(doc, expected):
    assert describe(doc) == expected
