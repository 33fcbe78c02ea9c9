"""Rules of the pages: who runs a block of commands, and that what it names exists.

Every block of shell commands has a line before it that says who runs it::

    <!-- tested by: tests/tools/test_kfold.py -->      a test does what the block does
    <!-- not run: needs gated data -->                 nobody here can, and why
    <!-- run -->                                       tests/test_docs_commands.py does

The last is for Python alone. Whatever it says, each tool, config and make target that a
block names has to exist; tests/test_docs_commands.py asks the tools for their options.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from typing import NamedTuple

from error_rules import Finding

SHELL = ('bash', 'sh', 'shell', 'console')
REASONS = ('gated data', 'a GPU', 'SLURM', 'the network', 'data of your own')
#: What a command may begin with besides a tool of this repository.
PROGRAMS = ('python', 'make', 'pip', 'source', 'sbatch', 'mim', 'ifdd', 'git')
BLOCK = re.compile(
    r'(?:^<!-- (?P<mark>[^\n]*) -->\n)?^```(?P<language>\w*)\n(?P<code>.*?)^```$',
    re.MULTILINE | re.DOTALL,
)


class Block(NamedTuple):
    """A fenced block of a page."""

    page: Path
    line: int
    mark: str
    language: str
    code: str


def pages(root: Path) -> list[Path]:
    """Return the pages, without the generated API reference."""
    return sorted(
        path
        for pattern in ('*.md', 'docs/**/*.md', 'data/*.md', 'configs/**/*.md')
        for path in root.glob(pattern)
        if not path.name.startswith('ifdd_mmaction.')
    )


def blocks(root: Path) -> Iterator[Block]:
    """Yield the fenced blocks of all pages."""
    for page in pages(root):
        text = page.read_text('utf-8')
        for match in BLOCK.finditer(text):
            line = text.count('\n', 0, match.start('language')) + 1
            yield Block(page, line, match['mark'] or '', *match.groups()[1:])


def shell_blocks(root: Path) -> Iterator[Block]:
    """Yield the blocks of commands."""
    return (block for block in blocks(root) if block.language in SHELL)


def commands(code: str) -> list[list[str]]:
    """Split a block into the words of its commands, without its here-documents."""
    code = re.sub(r"<<'?(\w+)'?\n.*?^\1$", '', code, flags=re.MULTILINE | re.DOTALL)
    lines = code.replace('\\\n', ' ').splitlines()
    split = [shlex.split(line, comments=True) for line in lines]
    # A line that only sets variables runs nothing.
    return [words for words in split if not all(map(is_variable, words))]


def is_variable(word: str) -> bool:
    """Return whether a word sets a variable."""
    return re.match(r'\w+=', word) is not None


def program(words: list[str]) -> list[str]:
    """Leave out the variables that are set for a command, and the interpreter."""
    words = words[next(i for i, w in enumerate(words) if not is_variable(w)) :]
    of_python = words[0] == 'python' and words[1:2] not in (['-'], ['-c'], ['-m'])
    return words[1:] if of_python else words


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


def marks(root: Path) -> Iterator[Finding]:
    """A block of commands says who runs it."""
    for block in blocks(root):
        kind, _, rest = block.mark.partition(':')
        at = block.page, block.line
        if block.language not in SHELL:
            if block.mark == 'run' and block.language != 'python':
                yield *at, f'{block.language!r} is marked run: only Python is'
            continue
        if kind == 'tested by':
            files = [root / name for name in re.split(r',\s*', rest.strip())]
            for file in files:
                if not file.is_file():
                    yield *at, f'no {file.relative_to(root)}'
            text = ''.join(f.read_text('utf-8') for f in files if f.is_file())
            for tool in re.findall(r'tools/[\w/]+\.(?:py|sh)', block.code):
                if Path(tool).stem not in text:
                    yield *at, f'{rest.strip()} does not name {tool}'
        elif kind == 'not run':
            reason = rest.strip().removeprefix('needs ')
            if reason not in REASONS:
                yield *at, f'{reason!r} is none of {REASONS}'
        else:
            yield (
                *at,
                (
                    'write <!-- tested by: tests/... --> or '
                    '<!-- not run: needs ... --> on the line before'
                ),
            )


def names(root: Path) -> Iterator[Finding]:
    """What a command names exists."""
    makefile = root / 'Makefile'
    targets = makefile.read_text('utf-8') if makefile.is_file() else ''
    for block in shell_blocks(root):
        at = block.page, block.line
        for words in commands(block.code):
            name, *arguments = program(words)
            tool = name.removeprefix('./')
            if tool.startswith('tools/'):
                if not (root / tool).is_file():
                    yield *at, f'no {tool}'
            elif name == 'make':
                for target in arguments:
                    variable, is_set, _ = target.partition('=')
                    sign = r' \?=' if is_set else ':'
                    pattern = rf'^{re.escape(variable)}{sign}'
                    if not re.search(pattern, targets, re.MULTILINE):
                        yield *at, f'make has no {target}'
            elif Path(name).suffix != '.py' and name not in PROGRAMS:
                yield *at, f'what is {name!r}?'
            for path in chain.from_iterable(map(expand, words)):
                if path.startswith(('configs/', 'tools/')) and not list(
                    root.glob(path)
                ):
                    yield *at, f'no {path}'


def links(root: Path) -> Iterator[Finding]:
    """A link leads somewhere, for those who read the files."""
    for page in pages(root):
        text = page.read_text('utf-8')
        shown = re.sub(  # without code, with its lines
            r'```.*?```', lambda m: '\n' * m[0].count('\n'), text, flags=re.DOTALL
        )
        for number, line in enumerate(shown.splitlines(), start=1):
            for target in re.findall(r'\]\(([^)\s]+)\)', line):
                path = page.parent / target.partition('#')[0]
                if not re.match(r'https?://|mailto:|#', target) and not path.exists():
                    yield page, number, f'no {target}'
