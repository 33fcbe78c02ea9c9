"""Every tool starts without our imports, and has the options of the pages."""

import re

import pytest

from tests.helpers.golden import ROOT, load_tool
from tests.helpers.tools import run_tool

load_tool('lint/lint.py')  # its folder is on the path now
import page_rules  # noqa: E402

TOOLS = sorted(
    path.relative_to(ROOT / 'tools').as_posix()
    for path in (ROOT / 'tools').rglob('*.py')
    if re.search(r'^if __name__ == .__main__', path.read_text('utf-8'), re.MULTILINE)
)


def shown(tool: str) -> set[str]:
    """Return the options that the pages give a tool, or a script that calls it."""
    called = {tool}
    for script in (ROOT / 'tools').glob('*.sh'):
        if re.findall(r'(\w+\.py)', script.read_text('utf-8'))[-1:] == [tool]:
            called.add(script.name)
    return {
        argument.partition('=')[0]
        for block in page_rules.shell_blocks(ROOT)
        for words in page_rules.commands(block.code)
        if page_rules.program(words)[0].removeprefix('./').removeprefix('tools/')
        in called
        for argument in words
        if argument.startswith('--')
    }


@pytest.mark.slow
@pytest.mark.parametrize('tool', TOOLS)
def test_the_help_has_the_options_of_the_pages(tool):
    said = run_tool(tool, '--help', fresh=True).stdout
    options = set(re.findall(r'(?<![\w-])--?[a-z][\w-]*', said))
    assert '--help' in options and shown(tool) <= options
