"""The text of a config."""

from mmengine.config import Config
from yapf.yapflib import yapf_api

from ifdd_mmaction import compat
from tests.helpers.tools import TINY


def test_a_config_is_formatted_once(monkeypatch, tmp_path):
    seen = []

    def split(tree, upstream=yapf_api.pytree_unwrapper.UnwrapPyTree):
        seen.append(tree)
        return upstream(tree)

    monkeypatch.setattr(yapf_api.pytree_unwrapper, 'UnwrapPyTree', split)
    compat.format_configs_once()  # again: what is corrected stays
    cfg = Config.fromfile(TINY)
    cfg.own = str(tmp_path)  # which no other test has formatted
    text = cfg.pretty_text
    cfg.dump(tmp_path / 'a.py')
    assert (tmp_path / 'a.py').read_text() == text
    assert Config.fromfile(TINY).pretty_text != text
    assert len(seen) <= 2
    # What changes is formatted again, in the same style.
    cfg.own = 3
    assert cfg.pretty_text == text.replace(f'{str(tmp_path)!r}', '3')
    assert Config.fromfile(tmp_path / 'a.py').pretty_text == text
