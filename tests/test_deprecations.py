"""Former names and forms of configs keep working, with a warning that names the new."""

import re
from importlib import import_module

import pytest
import torch
from mmaction.registry import MODELS

from ifdd_mmaction.deprecations import (
    FILES,
    METHODS,
    NAMES,
    SPLIT_OF_MODE,
    link_former_files,
)
from tests.helpers.golden import ROOT


@pytest.mark.parametrize('old', NAMES)
def test_a_former_name_is_the_new_one(old):
    place, _, name = old.rpartition('.')
    with pytest.warns(
        DeprecationWarning, match=re.escape(f'{old} is now {NAMES[old]}')
    ):
        found = getattr(import_module(place), name)
    place, _, name = NAMES[old].rpartition('.')
    assert found is vars(import_module(place))[name]


def test_a_former_module_has_no_other_names():
    with pytest.raises(ImportError, match='Nothing'):
        from ifdd_mmaction.models.necks.splits import Nothing  # noqa: F401


def test_the_page_lists_every_former_name():
    page = (ROOT / 'docs/migrating.md').read_text()
    section = page.split('## Renamed names')[1].split('\n## ')[0]
    rows = re.findall(r'^\| `(.+)` \| `(.+)` \|$', section, re.MULTILINE)
    modes = {
        f"neck.split=dict(type='ISSM', mode='{mode}')": (
            f"neck.split=dict(type='{kind}')"
        )
        for mode, kind in SPLIT_OF_MODE.items()
    }
    prefix = 'ifdd_mmaction.'
    names = {k.removeprefix(prefix): v.removeprefix(prefix) for k, v in NAMES.items()}
    assert dict(rows) == names | modes | METHODS | FILES


def test_former_files_are_links_to_the_new_ones(tmp_path):
    (tmp_path / 'emotions.csv').write_text('of an earlier run')
    link_former_files(tmp_path)
    assert (tmp_path / 'emotions.csv').read_text() == 'of an earlier run'
    (tmp_path / 'expressions.csv').write_text('new')
    for _ in range(2):
        link_former_files(tmp_path)
        assert (tmp_path / 'emotions.csv').read_text() == 'new'
    assert not (tmp_path / 'emotions.json').is_symlink()


def neck(**split):
    torch.manual_seed(0)
    return MODELS.build(
        dict(
            type='IFDDNeck',
            in_channels=[6, 8],
            input_size=(4, 3, 2),
            lifting=dict(type='LADM', num_heads=2),
            split=split,
        )
    )


@pytest.mark.parametrize('form', [dict(type='ISSM'), {}], ids=['type', 'default'])
@pytest.mark.parametrize('mode, kind', SPLIT_OF_MODE.items())
def test_a_mode_of_issm_is_the_split_of_its_own_name(mode, kind, form):
    with pytest.warns(DeprecationWarning, match=f"dict.type='{kind}'.$"):
        former = neck(**form, mode=mode)
    current = neck(type=kind)
    assert type(former.split) is type(current.split) is MODELS.get(kind)
    state = current.state_dict()
    assert former.state_dict().keys() == state.keys()
    for name, value in former.state_dict().items():
        assert torch.equal(value, state[name]), name
    levels = torch.randn(2, 6, 4, 6, 4), torch.randn(2, 8, 4, 3, 2)
    assert torch.equal(former.eval()(levels)[0], current.eval()(levels)[0])


def test_an_unknown_mode_or_an_argument_of_another_split_is_refused():
    with pytest.raises(ValueError, match=r"mode='random'.*TopKSplit"):
        neck(type='ISSM', mode='random')
    with pytest.raises(TypeError, match='receptive_field'), pytest.warns():
        neck(mode='topk', receptive_field=1)


def test_a_split_of_somebody_else_may_have_a_mode(recwarn):
    class Moded(torch.nn.Module):
        def __init__(self, in_channels, num_frames, mode):
            super().__init__()
            self.mode = mode

    assert neck(type=Moded, mode='topk').split.mode == 'topk'
    assert not [w for w in recwarn if w.category is DeprecationWarning]
