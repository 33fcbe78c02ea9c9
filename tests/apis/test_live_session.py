"""Watching a stream: what is written, and how it ends."""

import json
import os
import signal
import time

import pytest

from ifdd_mmaction.apis import DFERInferencer, LiveSession
from ifdd_mmaction.apis.live_report import Delays, LineFile
from ifdd_mmaction.cli import main
from ifdd_mmaction.errors import InputError
from ifdd_mmaction.video import FileVideo, LiveVideo, LostError
from tests.helpers.checkpoints import CONFIG, Brightness
from tests.helpers.golden import ROOT
from tests.helpers.processes import fork, free_port, start_script
from tests.helpers.scenes import numbered_frames, scene, write_video
from tests.video.test_live import Script, images, start_server

OPTIONS = ['--config', 'ifdd_vit_sample', '--detector', 'none', '--window', '0.2']


def session(folder, draw='video', **kwargs):
    tool = DFERInferencer(
        CONFIG, predictor=Brightness(), detector='none', window=0.2, stride=0.1,
        show_progress=False, **kwargs,
    )  # fmt: skip
    return LiveSession(tool, folder, draw)


def read_lines(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_a_session_writes_lines_a_video_and_its_timing(tmp_path):
    path = write_video(tmp_path / 'a.mp4', numbered_frames(30))
    out = tmp_path / 'out'
    summary = session(out, abstain_below=0.5).run(LiveVideo(path))
    assert {file.name for file in out.iterdir()} == {
        'expressions.jsonl', 'annotated.mp4', 'live.json'
    }  # fmt: skip
    head, *lines = read_lines(out / 'expressions.jsonl')
    assert head['source'] == str(path) and head['classes'] == ['bright', 'neutral']
    assert len(lines) >= 2 and {line['track'] for line in lines} == {1}
    for line in lines:
        assert sum(line['smoothed']) == pytest.approx(1, abs=1e-3)
        best = max(range(2), key=line['smoothed'].__getitem__)
        assert line['expression'] == head['classes'][best]
    told = json.loads((out / 'live.json').read_text())
    assert told == summary.to_dict()
    assert told['frames_arrived'] == 30 and told['tracks'] == 1
    assert told['frame_delay_ms']['count'] == told['frames_drawn']
    assert told['prediction_delay_ms']['median'] > 0
    # Each drawn frame is in the video, at the time of its arrival.
    frames = list(FileVideo(out / 'annotated.mp4'))
    assert len(frames) == told['frames_drawn']
    assert frames[-1].seconds == pytest.approx(told['seconds'], abs=0.002)
    # Without a face box, labels or panel the frame is gray all over.
    assert frames[-1].image.std() > 10

    session(out, draw='none').run(LiveVideo(path))
    again = read_lines(out / 'expressions.jsonl')
    assert again[: 1 + len(lines)] == [head, *lines]
    assert sum('source' in line for line in again) == 2


def test_a_line_that_was_cut_off_is_closed(tmp_path):
    path = tmp_path / 'a.jsonl'
    path.write_text('{"a": 1}\n{"a":')
    with LineFile(path) as lines:
        lines.write({'b': 2})
        assert path.read_text() == '{"a": 1}\n{"a":\n{"b": 2}\n'  # while it is open


def test_delays_are_counted_in_bounded_memory():
    delays = Delays()
    assert delays.milliseconds()['median'] is None
    for i in range(1000):
        delays.add(i / 1000)
    delays.add(1e9)
    told = delays.milliseconds()
    assert told['count'] == 1001 and told['max'] == 1e12
    assert told['median'] == pytest.approx(500, abs=1)
    assert told['p95'] == pytest.approx(951, abs=1)


def test_what_was_seen_before_a_loss_is_kept(tmp_path):
    def lost():
        yield from images(*range(9))
        raise LostError('unplugged')

    video = LiveVideo(Script(lost), reconnect=0)
    with pytest.raises(InputError, match=r'script: lost: .*unplugged'):
        session(tmp_path).run(video)
    assert len(read_lines(tmp_path / 'expressions.jsonl')) >= 1
    drawn = json.loads((tmp_path / 'live.json').read_text())['frames_drawn']
    assert len(list(FileVideo(tmp_path / 'annotated.mp4'))) == drawn > 0


def test_without_a_frame_nothing_is_written(tmp_path):
    with pytest.raises(InputError, match='no such file'):
        session(tmp_path / 'out').run(LiveVideo(tmp_path / 'a.mp4'))
    assert not (tmp_path / 'out').exists()


def test_unknown_outputs_and_a_window_without_a_display_are_named(
    tmp_path, monkeypatch
):
    with pytest.raises(InputError, match='draw='):
        session(tmp_path, draw='paper')
    monkeypatch.setenv('DISPLAY', ':4711')  # no such display
    with pytest.raises(InputError, match='cannot open a window here'):
        session(tmp_path, draw='window')


@pytest.mark.parametrize('number, code', [(signal.SIGINT, 0), (signal.SIGTERM, 143)])
def test_a_signal_ends_a_stream_with_whole_files(tmp_path, number, code):
    port = free_port()
    server = start_server(port, 25)
    url = f'http://127.0.0.1:{port}/mjpeg'
    said = tmp_path / 'said'
    command = [
        'tools/infer.py',
        url,
        *OPTIONS,
        '--out-dir',
        tmp_path,
        '--draw',
        'video',
    ]
    environment = {**os.environ, 'DISPLAY': '', 'OMP_NUM_THREADS': '1'}
    process = start_script(
        [ROOT / command[0], *command[1:]], said, said, ROOT, environment
    )
    folder = tmp_path / f'127_0_0_1_{port}_mjpeg'
    lines = folder / 'expressions.jsonl'
    # Lines are there while the stream goes on.
    while process.is_alive() and (
        not lines.exists() or lines.read_text().count('\n') < 3
    ):
        time.sleep(0.02)
    os.kill(process.pid, number)
    process.join()
    server.kill()
    assert process.exitcode == code, said.read_text()
    assert 'frames drawn' in said.read_text() and 'Traceback' not in said.read_text()
    assert len(read_lines(lines)) >= 3
    told = json.loads((folder / 'live.json').read_text())
    assert len(list(FileVideo(folder / 'annotated.mp4'))) == told['frames_drawn'] > 3


def test_a_lost_stream_is_one_line_and_exit_code_2(tmp_path, capfd):
    port = free_port()
    server = start_server(port, 0, 9)  # each connection ends after nine frames
    url = f'http://anna:secret@127.0.0.1:{port}/mjpeg'
    words = ['infer', url, *OPTIONS, '--out-dir', str(tmp_path), '--draw', 'none']
    fork(stop_later, server.pid)
    assert main([*words, '--reconnect', '0.2']) == 2
    server.join()
    *_, error = capfd.readouterr().err.strip().splitlines()
    assert error.startswith(f'ifdd: http://127.0.0.1:{port}/mjpeg: lost: no frame for')


def stop_later(pid):
    time.sleep(1)
    os.kill(pid, signal.SIGKILL)


@pytest.mark.parametrize(
    'arguments, message',
    [
        ([], 'no input'),
        (['a.mp4', 'rtsp://10.0.0.7/live'], 'a camera or stream is watched alone'),
        (['--camera', '0', 'a.mp4'], 'a camera or stream is watched alone'),
        (['--camera', '77'], 'camera 77: no frame has arrived'),
        (['--live', 'a.mp4', '--seconds', '0'], 'seconds=0: must be more than 0'),
        (['--live', 'a.mp4', '--reconnect', '-1'], 'reconnect=-1.0: must be 0 or more'),
    ],
)
def test_bad_input_is_one_line(tmp_path, monkeypatch, capfd, arguments, message):
    monkeypatch.chdir(tmp_path)
    assert main(['infer', *OPTIONS, *arguments]) == 2
    error = capfd.readouterr().err.strip().splitlines()[-1]
    assert error.startswith('ifdd: ') and message in error
    assert not list(tmp_path.iterdir())


def test_faces_of_a_played_file_are_detected_and_drawn(tmp_path, capfd):
    frames = [scene([(160 + 2 * i, 180, 70)]) for i in range(40)]
    path = write_video(tmp_path / 'a.mp4', frames, fps=10)
    words = [
        'infer',
        '--live',
        str(path),
        '--config',
        'ifdd_vit_sample',
        '--window',
        '1',
    ]
    out = tmp_path / 'out'
    assert main([*words, '--out-dir', str(out), '--no-video', '--seconds', '60']) == 0
    said = capfd.readouterr().out
    assert 'frames drawn' in said and 'faces: 1' in said
    _, *lines = read_lines(out / 'a' / 'expressions.jsonl')
    assert lines and all(line['track'] == 1 for line in lines)
    assert not (out / 'a' / 'annotated.mp4').exists()
