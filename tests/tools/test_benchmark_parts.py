import json

import pytest
import torch
from mmengine.registry import init_default_scope
from torch.autograd.graph import saved_tensors_hooks

from tests.helpers.golden import load_tool
from tests.helpers.numeric import assert_close
from tests.helpers.tools import TINY

pytestmark = pytest.mark.slow
#: Those whose both sides are one function of the same inputs.
SAME = ('relative_position', 'max_pooling', 'patch_embedding')


def test_parts_are_timed_and_losses_followed(tmp_path, capsys):
    tool, out = load_tool('analysis/benchmark_parts.py'), tmp_path / 'parts'
    options = ['--rounds', '1', '--clip', '8', '32', '32', '--device', 'cpu']
    parts = ['--parts', 'layer_norm', 'adamw', 'whole_step']
    assert tool.main([str(TINY), *parts, *options, '--out', str(out)]) == 0
    result = json.loads(out.with_suffix('.json').read_text())
    assert out.with_suffix('.md').read_text() in capsys.readouterr().out
    assert list(result['parts']) == parts[1:]
    for part in result['parts'].values():
        assert part['before']['median'] > 0 and part['after']['median'] > 0


@pytest.mark.parametrize('name', SAME)
def test_both_sides_compute_the_same(name, monkeypatch):
    tool = load_tool('analysis/benchmark_parts.py')
    monkeypatch.setattr(tool, 'SIZE', (2, 6, 6))
    monkeypatch.setattr(tool, 'LENGTH', 72)
    monkeypatch.setattr(tool, 'KEYS', (2, 2, 2))
    outputs = []

    def note(function, *inputs):
        outputs.append(function(*inputs))

    monkeypatch.setattr(tool, 'both_ways', note)
    parts = tool.Parts(TINY, tool.Setup(), (8, 32, 32))
    getattr(parts, name)()
    assert_close(*outputs, 441 + 96)


def test_the_step_before_stores_more():
    tool = load_tool('analysis/benchmark_parts.py')
    init_default_scope('mmaction')
    parts = tool.Parts(TINY, tool.Setup(), (8, 32, 32))
    stored = []
    for step in parts.whole_step():
        sizes = {}

        def pack(tensor, sizes=sizes):
            storage = tensor.untyped_storage()
            sizes[storage.data_ptr()] = storage.nbytes()
            return tensor

        with saved_tensors_hooks(pack, lambda tensor: tensor):
            step()
        stored.append(sum(sizes.values()))
    assert torch.tensor(stored).diff() < 0
