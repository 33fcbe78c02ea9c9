import json

import pytest

from tests.helpers.golden import load_tool
from tests.helpers.layouts import make_dfew
from tests.helpers.tools import TINY

CONFIG = """
num_classes = 7
model = dict(
    type='Recognizer3D',
    backbone=dict(
        type='PyramidMViT',
        arch=dict(embed_dims=8, num_layers=3, num_heads=1, downscale_indices=[1, 2]),
        spatial_size=32,
        temporal_size=4,
        out_scales=[1, 2],
    ),
    neck=dict(
        type='IFDDNeck',
        in_channels=[16, 32],
        input_size=(2, 2, 2),
        aggregation=dict(type='PyramidAggregation'),
        split=dict(type='ISSM'),
        lifting=dict(type='LADM'),
    ),
    cls_head=dict(type='IFDDHead', num_classes=num_classes, in_channels=32),
)
"""


@pytest.fixture
def config(tmp_path):
    path = tmp_path / 'tiny.py'
    path.write_text(CONFIG)
    return path


@pytest.mark.slow
def test_contenders_take_turns_and_are_written(config, tmp_path, capsys):
    tool = load_tool('analysis/benchmark.py')
    out = tmp_path / 'speed'
    names = ['ours', 'checkpointed', 'stock', 'no-neck']
    options = ['--clip', '4', '32', '32', '--rounds', '2', '--device', 'cpu']
    options += ['--batch-size', '2', '--memory-batch-size', '0', '--out', str(out)]
    assert tool.main([str(config), '--contenders', *names, *options]) == 0
    result = json.loads(out.with_suffix('.json').read_text())
    rows = result['configs'][str(config)]
    assert list(rows) == names
    for row in rows.values():
        for kind in ('forward', 'step'):
            assert 0 < row[kind]['seconds']['median'] < 60
            assert 0 < row[kind]['share_of_peak'] < 1
    assert rows['stock']['step']['speedup']['median'] == 1
    # The neck's arithmetic is in the count of ours, and stock does the same.
    flops = {n: tool.count_flops(config, n, (4, 32, 32)) for n in names}
    assert flops['ours'] == flops['stock'] > flops['no-neck'] > 0
    table = out.with_suffix('.md').read_text()
    assert table in capsys.readouterr().out
    assert all(f'\n| {name} | step | ' in table for name in names)


def test_memory_is_that_of_a_step(config, tmp_path):
    tool = load_tool('analysis/benchmark.py')
    out = tmp_path / 'speed'
    options = ['--clip', '4', '32', '32', '--rounds', '1', '--device', 'cpu']
    options += ['--contenders', 'ours', '--memory-batch-size', '64', '--out', str(out)]
    assert tool.main([str(config), *options]) == 0
    row = json.loads(out.with_suffix('.json').read_text())['configs'][str(config)]
    assert row['ours']['memory']['batch_size'] == 64
    assert row['ours']['memory']['mib'] > 1


@pytest.mark.slow
def test_training_end_to_end_reads_the_data(tmp_path):
    tool = load_tool('analysis/benchmark.py')
    data, out = make_dfew(tmp_path / 'dfew', 5, frames=8), tmp_path / 'speed'
    options = ['--rounds', '2', '--device', 'cpu', '--contenders', 'ours', 'stock']
    options += ['--batch-size', '7', '--memory-batch-size', '0', '--out', str(out)]
    options += ['--end-to-end', str(data), '--steps', '2']
    with pytest.raises(
        ValueError, match=r'clips of \(8, 32, 32\), and --clip is \(16,'
    ):
        tool.main([str(TINY), *options, '--clip', '16', '32', '32'])
    assert tool.main([str(TINY), *options, '--clip', '8', '32', '32']) == 0
    rows = json.loads(out.with_suffix('.json').read_text())['configs'][str(TINY)]
    for row in rows.values():
        found = row['end_to_end']
        seconds = found['seconds']['median']
        assert found['clips_per_second'] == pytest.approx(7 / seconds, rel=0.01)
        alone = row['step']['wall_seconds']['median']
        assert found['share_of_step'] == pytest.approx(alone / seconds, abs=0.01)
    assert rows['stock']['end_to_end']['speedup']['median'] == 1
    assert '| ours | end to end |' in out.with_suffix('.md').read_text()
    # Five batches an epoch: two are read ahead, which leaves three to time.
    with pytest.raises(ValueError, match=r'5 batches, and 2 \+ 4 are needed'):
        tool.main([str(TINY), *options, '--clip', '8', '32', '32', '--steps', '4'])


@pytest.mark.parametrize(
    'options,message',
    [
        (['--batch-size', 'auto'], 'needs a GPU'),
        (['--batch-size', 'many'], 'a number'),
        (['--rounds', '0'], 'at least 1'),
    ],
)
def test_wrong_arguments_are_named(config, options, message, capsys):
    with pytest.raises(SystemExit) as stopped:
        load_tool('analysis/benchmark.py').main(
            [str(config), '--device', 'cpu', *options]
        )
    assert stopped.value.code == 2
    assert message in capsys.readouterr().err
