import json

import pytest

from tests.helpers.golden import load_tool
from tests.helpers.scenes import numbered_frames, write_video


@pytest.fixture
def tool(monkeypatch):
    monkeypatch.setenv('IFDD_CACHE', '')  # the tool sets it
    return load_tool('analysis/bench_video.py')


def test_both_readers_are_measured_and_written(tmp_path, capsys, tool):
    video = write_video(tmp_path / 'a.mp4', numbered_frames(30) * 4)
    out = tmp_path / 'speed'
    options = ['--clips', '2', '--rounds', '2', '--out', str(out)]
    assert tool.main([str(video), *options]) == 0
    rows = json.loads(out.with_suffix('.json').read_text())['rows']
    assert [row['pattern'] for row in rows] == ['window', 'spread', 'single']
    for row in rows:
        assert row['frames'] == 120 and row['first_look_ms'] > 0
        assert {'ours', 'decord'} <= set(row['ms'])
        assert row['decord_right'] == 1 and row['ours_times_as_fast'] > 0
    assert out.with_suffix('.md').read_text() in capsys.readouterr().out


def test_what_cannot_be_measured_is_refused(tmp_path, capsys, tool):
    video = write_video(tmp_path / 'short.mp4', numbered_frames(30))
    (tmp_path / 'bad.mp4').write_text('no video')
    for name in ('short.mp4', 'bad.mp4', 'none.mp4'):
        out = tmp_path / 'speed'
        assert tool.main([str(video.with_name(name)), '--out', str(out)]) == 2
        assert name in capsys.readouterr().err
        assert not out.with_suffix('.json').exists()
    with pytest.raises(SystemExit):
        tool.main(['--rounds', '0'])
