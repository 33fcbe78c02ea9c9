"""No command in the documentation is stale.

Every block of shell commands has a line before it that says who runs it::

    <!-- tested by: tests/tools/test_kfold.py -->      a test does what the block does
    <!-- not run: needs gated data -->                 nobody here can, and why
    <!-- run -->                                       the test below does, verbatim

The last is for Python too. Whatever it says, each tool, option, config and make target
that a block names has to exist.
"""

from __future__ import annotations

import re
import runpy
import shlex
import sys
from functools import cache
from itertools import chain
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.golden import ROOT

PAGES = sorted(
    path
    for pattern in ('*.md', 'docs/**/*.md', 'data/*.md', 'configs/**/*.md')
    for path in ROOT.glob(pattern)
    if not path.name.startswith('ifdd_mmaction.')  # the generated API reference
)
SHELL = ('bash', 'sh', 'shell', 'console')
REASONS = ('gated data', 'a GPU', 'SLURM', 'the network', 'data of your own')
#: What a command may begin with besides a tool of this repository.
PROGRAMS = ('python', 'make', 'pip', 'source', 'sbatch', 'mim', 'ifdd', 'git')
BLOCK = re.compile(
    r'(?:^<!-- (?P<mark>.*?) -->\n)?^```(?P<language>\w*)\n(?P<code>.*?)^```$',
    re.MULTILINE | re.DOTALL,
)


class Block(NamedTuple):
    """A fenced block of a page."""

    page: Path
    line: int
    mark: str
    language: str
    code: str

    def __str__(self) -> str:
        return f'{self.page.relative_to(ROOT)}:{self.line}'


def blocks() -> list[Block]:
    found = []
    for page in PAGES:
        text = page.read_text()
        for match in BLOCK.finditer(text):
            line = text.count('\n', 0, match.start('language')) + 1
            found.append(Block(page, line, match['mark'] or '', *match.groups()[1:]))
    return found


BLOCKS = blocks()
COMMANDS = [block for block in BLOCKS if block.language in SHELL]


def commands(code: str) -> list[list[str]]:
    """Split a block into the words of its commands, without its here-documents."""
    code = re.sub(r"<<'?(\w+)'?\n.*?^\1$", '', code, flags=re.MULTILINE | re.DOTALL)
    lines = code.replace('\\\n', ' ').splitlines()
    return [words for line in lines if (words := shlex.split(line, comments=True))]


def program(words: list[str]) -> list[str]:
    """Leave out the variables that are set for a command, and the interpreter."""
    words = words[next(i for i, w in enumerate(words) if not re.match(r'\w+=', w)) :]
    of_python = words[0] == 'python' and words[1:2] not in (['-'], ['-m'])
    return words[1:] if of_python else words


@cache
def help_of(tool: str) -> str:
    """Return what a tool prints for ``--help``, run in this process to spare time."""
    path, argv, modules = sys.path[:], sys.argv, set(sys.modules)
    sys.path.insert(0, str((ROOT / tool).parent))
    sys.argv = [tool, '--help']
    printed: list[str] = []
    try:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(sys, 'stdout', Printed(printed))
            runpy.run_path(str(ROOT / tool), run_name='__main__')
    except SystemExit as end:
        assert not end.code, f'{tool} --help ends with {end.code}'
    finally:
        sys.path, sys.argv = path, argv
        # Siblings such as tools/convert/checkpoint.py are nobody else's modules.
        for name in set(sys.modules) - modules:
            if '.' not in name and (ROOT / tool).with_name(f'{name}.py').exists():
                del sys.modules[name]
    return ''.join(printed)


class Printed:
    """A stream into a list."""

    def __init__(self, into: list[str]) -> None:
        self.write = into.append

    def flush(self) -> None:
        """Nothing to flush."""


def options_of(tool: str) -> set[str]:
    """Return the options of a tool, of a script those of the tool it calls."""
    if tool.endswith('.sh'):
        called = re.findall(r'(\w+\.py)', (ROOT / tool).read_text())
        return options_of(f'tools/{called[-1]}')
    return set(re.findall(r'(?<![\w-])--?[a-z][\w-]*', help_of(tool)))


def expand(word: str) -> list[str]:
    """Expand ``{a,b}`` and ``{1..5}`` as bash does."""
    match = re.search(r'\{([^{}]*)\}', word)
    if not match:
        return [word]
    parts = match[1].split(',')
    return list(
        chain.from_iterable(
            expand(word[: match.start()] + part + word[match.end() :]) for part in parts
        )
    )


@pytest.mark.parametrize('block', COMMANDS, ids=str)
def test_a_block_of_commands_says_who_runs_it(block):
    kind, _, rest = block.mark.partition(':')
    tools = {Path(w).stem for w in re.findall(r'tools/[\w/]+\.(?:py|sh)', block.code)}
    if kind == 'tested by':
        files = [ROOT / name for name in re.split(r',\s*', rest.strip())]
        absent = [str(f.relative_to(ROOT)) for f in files if not f.is_file()]
        assert not absent, f'{block}: no {absent}'
        text = ''.join(f.read_text() for f in files)
        unknown = sorted(tool for tool in tools if tool not in text)
        assert not unknown, f'{block}: {rest.strip()} does not name {unknown}'
    elif kind == 'not run':
        reason = rest.strip().removeprefix('needs ')
        assert reason in REASONS, f'{block}: {reason!r} is none of {REASONS}'
    else:
        assert block.mark == 'run', (
            f'{block}: write <!-- tested by: tests/... -->, <!-- not run: needs ... '
            f'--> or <!-- run --> on the line before'
        )


@pytest.mark.parametrize('block', COMMANDS, ids=str)
def test_what_a_command_names_exists(block):
    for words in commands(block.code):
        name, *arguments = program(words)
        tool = name.removeprefix('./')
        if tool.startswith('tools/'):
            assert (ROOT / tool).is_file(), f'{block}: no {tool}'
            if tool != 'tools/setup_env.sh':
                given = {a.partition('=')[0] for a in arguments if a.startswith('--')}
                unknown = sorted(given - options_of(tool))
                assert not unknown, f'{block}: {tool} has no option {unknown}'
        elif name == 'make':
            makefile = (ROOT / 'Makefile').read_text()
            for target in arguments:
                variable, is_set, _ = target.partition('=')
                sign = r' \?=' if is_set else ':'
                pattern = rf'^{re.escape(variable)}{sign}'
                found = re.search(pattern, makefile, re.MULTILINE)
                assert found, f'{block}: make has no {target}'
        else:
            own = Path(name).suffix == '.py' or name in PROGRAMS
            assert own, f'{block}: what is {name!r}?'
        for path in chain.from_iterable(map(expand, words)):
            if path.startswith(('configs/', 'tools/')):
                assert list(ROOT.glob(path)), f'{block}: no {path}'


@pytest.mark.parametrize('block', [b for b in BLOCKS if b.mark == 'run'], ids=str)
def test_a_block_that_is_marked_so_runs(block, tmp_path, monkeypatch):
    assert block.language == 'python', f'{block}: commands run in their own tests'
    monkeypatch.chdir(tmp_path)
    exec(compile(block.code, str(block), 'exec'), {'__name__': '__main__'})


@pytest.mark.parametrize('page', PAGES, ids=lambda p: str(p.relative_to(ROOT)))
def test_links_lead_somewhere(page):
    """For those who read the files; the built site checks its own."""
    text = re.sub(r'```.*?```', '', page.read_text(), flags=re.DOTALL)
    for target in re.findall(r'\]\(([^)\s]+)\)', text):
        if not re.match(r'https?://|mailto:|#', target):
            path = page.parent / target.partition('#')[0]
            assert path.exists(), f'{page.relative_to(ROOT)}: no {target}'
