import json

import pytest
import torch

from tests.helpers.golden import load_tool
from tests.helpers.tools import TINY

pytestmark = pytest.mark.slow


def test_graphs_and_times_are_reported(tmp_path, capsys):
    torch._dynamo.reset()
    tool, out = load_tool('analysis/compile_report.py'), tmp_path / 'report'
    size = ['--clip', '8', '32', '32', '--batch-size', '2', '--rounds', '2']
    options = ['--backend', 'eager', '--device', 'cpu', '--out', str(out)]
    assert tool.main([str(TINY), *size, *options]) == 0
    result = json.loads(out.with_suffix('.json').read_text())
    assert result == json.loads(capsys.readouterr().out)
    # Two blocks, the neck and the head.
    assert len(result['regions']) == result['graphs'] == 4
    assert result['graph_breaks'] == result['recompilations'] == 0
    assert result['first_step']['cpu_seconds'] > result['step']['plain']['median'] > 0


def test_a_wrong_argument_ends_in_one_line(capsys):
    tool = load_tool('analysis/compile_report.py')
    with pytest.raises(SystemExit) as error:
        tool.main(['none.py'])
    assert error.value.code == 2
    assert 'none.py: no such config' in capsys.readouterr().err
