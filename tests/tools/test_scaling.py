import json

import pytest

from tests.helpers.golden import load_tool
from tests.helpers.tools import TINY

pytestmark = pytest.mark.slow


def run(out, *options):
    tool = load_tool('analysis/scaling.py')
    base = ['--base', '8', '32', '1', '--rounds', '2', '--device', 'cpu']
    assert tool.main([str(TINY), *base, '--out', str(out), *options]) == 0
    return json.loads(out.with_suffix('.json').read_text())


def test_each_axis_grows_while_the_others_stay(tmp_path, capsys):
    axes = ['--frames', '8', '16', '--size', '32', '--batch', '1', '1000']
    out = tmp_path / 'cost'
    result = run(out, *axes, '--max-memory', '0.5')
    sweeps = result['sweeps']
    assert {axis: list(points) for axis, points in sweeps.items()} == dict(
        frames=['8', '16'], size=['32'], batch=['1', '1000']
    )
    small, large = sweeps['frames'].values()
    # The head alone does not depend on the frames.
    assert 1.9 < large['gflops'] / small['gflops'] < 3
    for row in (small, large, sweeps['batch']['1']):
        for name in ('ours', 'stock'):
            assert 0 < row[name]['seconds'] < 60 and row[name]['gib'] > 0
    # By its arithmetic a thousand clips need a thousand times as much.
    assert list(sweeps['batch']['1000']) == ['gflops', 'skipped']
    assert 'not measured: about' in out.with_suffix('.md').read_text()
    assert out.with_suffix('.png').read_bytes().startswith(b'\x89PNG')
    # The same command takes what is there.
    assert run(out, *axes) == result
