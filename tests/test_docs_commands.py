"""What the pages show runs: blocks of Python, and the options of tools.

What can be seen without running anything is seen by tools/lint/page_rules.py.
"""

from __future__ import annotations

import pytest

from tests.helpers.golden import ROOT, load_tool

load_tool('lint/lint.py')  # its folder is on the path now
import page_rules  # noqa: E402

RUN = [block for block in page_rules.blocks(ROOT) if block.mark == 'run']


@pytest.mark.parametrize(
    'block', RUN, ids=lambda b: f'{b.page.relative_to(ROOT)}:{b.line}'
)
def test_a_block_that_is_marked_so_runs(block, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    exec(compile(block.code, str(block.page), 'exec'), {'__name__': '__main__'})
