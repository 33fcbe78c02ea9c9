"""Rows trained on the features of a real checkpoint, on a small drawn set."""

import json

import pytest
import torch
from mmaction.registry import MODELS
from mmengine.config import Config
from mmengine.registry import init_default_scope

from ifdd_mmaction.errors import InputError
from tests.helpers.golden import load_tool
from tests.helpers.tiny_models import draw_set
from tests.helpers.tools import TINY, run_tool

pytestmark = pytest.mark.slow

TOOL = 'analysis/split_probe.py'
load_tool(TOOL)  # its folder is on the path from here

from split_probing.constraints import CONSTRAINTS  # noqa: E402
from split_probing.readouts import POOLINGS, ROWS, OracleSplit, Readout  # noqa: E402
from split_probing.tables import constraints_table  # noqa: E402
from split_probing.training import Setting, setting_of  # noqa: E402


@pytest.fixture(scope='module')
def data(tmp_path_factory):
    return draw_set(tmp_path_factory.mktemp('drawn') / 'set')


@pytest.fixture(scope='module')
def checkpoint(tmp_path_factory):
    """A checkpoint of frames: split and lifting are not in it."""
    init_default_scope('mmaction')
    torch.manual_seed(0)
    state = MODELS.build(Config.fromfile(TINY).model).state_dict()
    frames = {
        name: value
        for name, value in state.items()
        if not name.startswith(('neck.split', 'neck.lifting'))
    }
    path = tmp_path_factory.mktemp('run') / 'frames.pth'
    torch.save(dict(state_dict=frames), path)
    return path


def test_all_rows_are_trained_with_all_seeds_and_the_oracle_is_best_timed(
    data, checkpoint, tmp_path
):
    out = tmp_path / 'probe'
    result = run_tool(
        TOOL, TINY, checkpoint, '--data-root', data, '--seeds', 0, 1, '--epochs', 2,
        '--out', out,
    )  # fmt: skip
    record = json.loads(out.with_suffix('.json').read_text())
    rows = {row['row']: row for row in record['rows']}
    assert list(rows) == ROWS
    assert (record['train_clips'], record['test_clips']) == (56, 14)
    for name, row in rows.items():
        assert len(row['seeds']) == row['UAR']['n'] == 2
        assert all(0 <= score <= 1 for score in row['seeds'])
        assert ('dynamics' in row) == (name not in POOLINGS)
    best = record['best_frames']
    for name, row in rows.items():
        if name.startswith('oracle'):
            assert row['dynamics']['mean'] == pytest.approx(best, abs=1e-5)
            assert row['dynamics_minus_fixed']['low'] > 0
        elif name.startswith('interval'):
            assert row['dynamics_minus_fixed'] == dict(mean=0, low=0, high=0)
    assert f'best frames {best:.3f}' in out.with_suffix('.md').read_text()
    assert result.stdout.count('UAR') == 2 * len(rows) + 1


def test_a_seed_gives_the_same_numbers(data, checkpoint, tmp_path):
    for out in ('one', 'two'):
        run_tool(
            TOOL, TINY, checkpoint, '--data-root', data, '--seeds', 3, '--epochs', 1,
            '--rows', 'attention', 'issm + average', '--out', tmp_path / out,
        )  # fmt: skip
    one, two = (
        json.loads((tmp_path / f'{n}.json').read_text()) for n in ('one', 'two')
    )
    assert one['rows'] == two['rows'] and len(one['rows']) == 2


def test_the_constraint_is_compared_with_a_training_without_it(
    data, checkpoint, tmp_path
):
    out = tmp_path / 'probe'
    kinds = [kind for kind in CONSTRAINTS if kind != 'batch of 128']
    options = (
        TOOL, TINY, checkpoint, '--data-root', data, '--seeds', 0, 1, '--epochs', 4,
        '--rows', 'mean', 'issm + average', '--loss-weights', 0, 50, '--out', out,
    )  # fmt: skip
    run_tool(*options, '--constraints', *kinds)
    record = json.loads(out.with_suffix('.json').read_text())
    rows = {setting_of(row): row for row in record['rows']}
    # Without weight, only the size of the batch makes a difference.
    assert [s.kind for s in rows if s.weight == 0] == ['paper', 'batch of 8']
    assert [s.kind for s in rows if s.weight == 50] == kinds
    found = {s.kind: row for s, row in rows.items() if s.weight == 50}
    without = rows[Setting('issm + average', 0.0, 'paper')]
    assert found['paper']['constraint']['mean'] < without['constraint']['mean']
    assert len({row['constraint']['mean'] for row in found.values()}) == len(kinds)
    lines = constraints_table(record).splitlines()
    assert len(lines) == 2 + len(rows) - 1  # the mean has no constraint
    gains = [line.split(' | ')[4] for line in lines[2:]]
    assert [not gain.strip() for gain in gains] == [
        setting.weight == 0 for setting in rows if setting.kind
    ]
    refused = run_tool(*options, '--constraints', 'batch of 128', check=2).stderr
    assert 'batch of 128: 56 training clips are less than a batch' in refused


def test_distances_of_the_context_and_what_they_ignore():
    x = torch.rand(2, 3, 4, 2, 2)
    pairs = (x[:, :, 0::2] + x[:, :, 1::2]) / 2
    distances = {name: kind for name, kind in CONSTRAINTS.items() if name[0] != 'b'}
    assert all(kind(x, pairs) < 1e-6 for kind in distances.values())
    other_order, other_channels = pairs.flip(2), pairs.flip(1)
    zero = {name for name, kind in distances.items() if kind(x, other_order) < 1e-6}
    assert zero == distances.keys() - {'strict'}
    zero = {name for name, kind in distances.items() if kind(x, other_channels) < 1e-6}
    assert zero == distances.keys() - {'strict', 'channels', 'cosine'}
    assert (
        distances['cosine'](x, 2 * pairs) < 1e-6 < distances['channels'](x, 2 * pairs)
    )
    # 0.5 in every value: the Huber loss is half its square, L1 itself.
    assert distances['paper'](x, pairs + 0.5) == pytest.approx(0.125, abs=1e-5)
    assert distances['L1'](x, pairs + 0.5) == pytest.approx(0.5, abs=1e-5)


@pytest.mark.parametrize('kind', ['paper', 'detached'])
def test_a_detached_constraint_does_not_move_the_split(kind):
    torch.manual_seed(0)
    model = Readout('issm + average', (8, 8, 2, 2), torch.nn.Linear(8, 7))
    _, value = model(torch.rand(4, 8, 8, 2, 2), CONSTRAINTS[kind])
    value.backward()
    assert any(p.grad is not None for p in model.lifting.parameters())
    moved = [p for p in model.split.parameters() if p.grad is not None]
    assert bool(moved) == (kind == 'paper')


def test_rows_that_are_there_are_not_trained_again(tmp_path):
    tool = load_tool(TOOL)
    record = dict.fromkeys(tool.SAME, 'x') | dict(rows=[dict(row='mean')])
    (tmp_path / 'probe.json').write_text(json.dumps(record))
    assert tool.measured(tmp_path / 'probe', record) == record['rows']
    assert tool.measured(tmp_path / 'none', record) == []
    for key in tool.SAME:
        assert tool.measured(tmp_path / 'probe', record | {key: 'y'}) == []
    # Changed code has no name.
    record['commit'] = 'a-dirty'
    (tmp_path / 'probe.json').write_text(json.dumps(record))
    assert tool.measured(tmp_path / 'probe', record) == []


def test_the_oracle_takes_the_frames_of_highest_intensity_in_order():
    split = OracleSplit(in_channels=1, num_frames=4)
    split.intensity = torch.tensor([[0.1, 0.9, 0.2, 0.8]])
    x_s, x_d = split(torch.arange(4.0).view(1, 1, 4, 1, 1))
    assert (x_s.flatten().tolist(), x_d.flatten().tolist()) == ([0, 2], [1, 3])


def test_the_evidence_is_that_of_the_checkpoints_classifier():
    head = torch.nn.Linear(4, 3)
    for row, window in (('evidence', 1), ('evidence_3', 3)):
        split = Readout(f'{row} + average', (4, 4, 1, 1), head, 1).split
        assert (split.neutral, split.window) == (1, window)
        assert torch.equal(split.weight, head.weight)
        assert torch.equal(split.bias, head.bias)
    with pytest.raises(InputError, match='no class is called neutral'):
        Readout('evidence + average', (4, 4, 1, 1), head)


def test_a_checkpoint_of_another_model_or_no_intensity_is_refused(
    data, checkpoint, tmp_path
):
    other = tmp_path / 'other.pth'
    weights = torch.load(checkpoint, weights_only=True)['state_dict']
    head = weights.pop('cls_head.fc_cls.weight')
    for state in (weights, weights | {'cls_head.fc_cls.weight': head[:, 1:]}):
        torch.save(dict(state_dict=state), other)
        refused = run_tool(TOOL, TINY, other, '--data-root', data, check=2).stderr
        assert 'other.pth does not fit' in refused
        assert ': 1 of ' in refused and 'cls_head.fc_cls.weight for one' in refused
    (tmp_path / 'none').mkdir()
    result = run_tool(TOOL, TINY, checkpoint, '--data-root', tmp_path / 'none', check=2)
    assert 'does not exist' in result.stderr
