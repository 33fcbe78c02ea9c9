"""``tools/analysis/live_latency.py``: a short measurement."""

import json

import pytest

from tests.helpers.golden import load_tool
from tests.helpers.processes import fork, free_port, wait_for
from tests.helpers.scenes import scene, write_video
from tests.helpers.stream_server import serve

tool = load_tool('analysis/live_latency.py')


def test_a_stream_is_measured_for_a_time(tmp_path, capsys):
    frames = [scene([(160 + 2 * i, 180, 70)]) for i in range(10)]
    video = write_video(tmp_path / 'a.mp4', frames)
    out = tmp_path / 'a.json'
    words = ['--config', 'ifdd_vit_sample', '--seconds', '3', '--fps', '10']
    words += ['--frames', '30']
    assert tool.main([str(video), str(out), *words, '--draw', 'none']) == 0
    assert 'are flat' in capsys.readouterr().out
    told = json.loads(out.read_text())
    assert told['video'] == 'a.mp4' and told['fps'] == 10
    step = told['keeping_step']
    assert step['frames'] == step['frame_cpu_ms']['count'] == 30
    assert step['cpu_ms_per_frame'] > 0.5 * step['frame_cpu_ms']['median'] > 0
    (run,) = told['runs']
    assert '/' not in run['settings']['checkpoint']
    assert run['frames_arrived'] > 10  # the ten frames were played again
    assert run['seconds'] > 2 and run['draw'] == 'none'
    assert run['cpu_ms_per_frame'] > 0 and run['frame_delay_ms']['median'] > 0


def test_a_stream_of_ones_own_is_watched(tmp_path, monkeypatch):
    video = write_video(tmp_path / 'a.mp4', [scene([(160, 180, 70)])] * 10)
    out, port = tmp_path / 'a.json', free_port()
    server = fork(serve, port, 10.0, 100_000)
    url = f'http://127.0.0.1:{port}/ts'
    words = ['--config', 'ifdd_vit_sample', '--seconds', '3', '--frames', '10']
    words += ['--stream', url.replace('//', '//anna:secret@'), '--draw', 'none']
    words = [str(video), str(out), *words]
    monkeypatch.setattr('sys.argv', ['live_latency.py', *words])
    try:
        wait_for(port)
        assert tool.main(words) == 0
    finally:
        server.kill()
        server.join()
    told = json.loads(out.read_text())
    assert told['stream'] == url and 'secret' not in out.read_text()
    (run,) = told['runs']
    assert run['frames_arrived'] > 5 and run['tracks'] == 0  # gray frames


def test_what_cannot_be_used_is_named(tmp_path, capsys):
    assert tool.main([str(tmp_path / 'a.mp4'), str(tmp_path / 'a.json')]) == 2
    assert 'no such file' in capsys.readouterr().err
    with pytest.raises(SystemExit):
        tool.main(['a.mp4', 'a.json', '--fps', '0'])
    assert '--fps is 0.0: it must be more than 0' in capsys.readouterr().err
