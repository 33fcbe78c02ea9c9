import json

import pytest

from tests.helpers.golden import load_tool


@pytest.mark.slow
def test_every_loader_is_measured_and_written(tmp_path, capsys):
    tool = load_tool('analysis/bench_data.py')
    out = tmp_path / 'speed'
    options = ['--clips', '1', '--rounds', '2', '--out', str(out)]
    assert tool.main([*options, '--memory', '--epoch', '24']) == 0
    result = json.loads(out.with_suffix('.json').read_text())
    names = ['stock', 'folders', 'archive', 'decoded', 'folders+colour']
    assert list(result['contenders']) == names
    for row in result['contenders'].values():
        assert 0 < row['cpu_clips_per_second']['median'] < 1e5
    assert result['contenders']['stock']['ratio_to_stock']['median'] == 1
    assert min(result['memory']['private_mib_of_all_workers']) > 0
    # Sizes of faces cut from video at quality 95: 13 to 18 KB.
    assert 10_000 < result['data']['bytes_per_frame'] < 20_000
    table = out.with_suffix('.md').read_text()
    assert table in capsys.readouterr().out
    assert all(f'\n| {name} | ' in table for name in names)


def test_a_folder_without_clips_is_refused(tmp_path, capsys):
    tool = load_tool('analysis/bench_data.py')
    out = tmp_path / 'speed'
    assert tool.main(['--frames', str(tmp_path), '--out', str(out)]) == 2
    assert str(tmp_path) in capsys.readouterr().err
    with pytest.raises(SystemExit):
        tool.main(['--clips', '0'])
    assert not out.with_suffix('.json').exists()
