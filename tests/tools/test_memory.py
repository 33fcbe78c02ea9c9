import json

import pytest

from tests.helpers.golden import load_tool
from tests.helpers.tools import TINY


def test_ours_stores_less_than_stock_and_less_again_with_checkpointing(
    tmp_path, capsys
):
    tool, out = load_tool('analysis/memory.py'), tmp_path / 'memory'
    size = ['--clip', '8', '32', '32', '--batch-size', '64']
    assert tool.main([str(TINY), *size, '--out', str(out)]) == 0
    result = json.loads(out.with_suffix('.json').read_text())
    assert out.with_suffix('.md').read_text() in capsys.readouterr().out
    for rows in result['dtypes'].values():
        assert list(rows) == ['stock', 'ours', 'checkpointed']
        kept, peaks = (
            [row[key] for row in rows.values()] for key in ('kept_mib', 'peak_mib')
        )
        assert kept[0] > kept[1] > kept[2] > 0
        assert rows['ours']['ratio'] == pytest.approx(peaks[1] / peaks[0], abs=0.01)
        assert peaks[0] > peaks[1] > peaks[2]
        assert all(p >= k for p, k in zip(peaks, kept, strict=True))


@pytest.mark.parametrize(
    'args, message',
    [
        (['none.py'], 'none.py: no such config'),
        ([TINY, '--batch-size', '0'], 'least 1'),
    ],
)
def test_a_wrong_argument_ends_in_one_line(args, message, capsys):
    with pytest.raises(SystemExit) as error:
        load_tool('analysis/memory.py').main(list(map(str, args)))
    assert error.value.code == 2
    assert message in capsys.readouterr().err
