"""Rules of error messages, of reading that could run code, and of exit codes."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

Finding = tuple[Path, int, str]

#: What was asked for is not installed: there is no value to show.
WITHOUT_VALUE = ('ImportError',)
#: Only reading that trusts the file would need them; ruff's S rules know the others.
UNSAFE_CALLS = (
    'compile',
    'joblib.load',
    'torch.jit.load',
    'yaml.full_load',
    'yaml.unsafe_load',
)


def sources(root: Path, *folders: str) -> Iterator[Path]:
    """Yield the Python files of folders."""
    for folder in folders:
        yield from sorted((root / folder).rglob('*.py'))


def nodes(path: Path, kind: type) -> list:
    """Return the nodes of a kind in a file's syntax tree."""
    tree = ast.parse(path.read_text('utf-8'))
    return [node for node in ast.walk(tree) if isinstance(node, kind)]


def message_of(call: ast.Call) -> str:
    """Return the text of a message, with ``{}`` where a value goes."""
    parts = []
    for node in ast.walk(call.args[0]) if call.args else ():
        if isinstance(node, ast.FormattedValue):
            parts.append('{}')
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            parts.append(node.value)
        elif isinstance(node, ast.Call) and ast.unparse(node).startswith(('str(', '_')):
            parts.append('put together {}')
    return ' '.join(parts)


def what_was_seen(root: Path) -> Iterator[Finding]:
    """An error says what was seen, and is of a kind that can be caught."""
    for path in sources(root, 'ifdd_mmaction'):
        for node in nodes(path, ast.Raise):
            said = ast.unparse(node)[:90]
            if isinstance(node.exc, ast.Name) and node.exc.id[0].isupper():
                yield path, node.lineno, f'says nothing: {said}'
            if not isinstance(node.exc, ast.Call):
                continue  # raised again
            kind, message = ast.unparse(node.exc.func), message_of(node.exc)
            if re.match(r'(self\.)?_[a-z]', kind):
                continue  # a function that makes the error: the message is there
            if kind in ('Exception', 'BaseException', 'AssertionError', 'SystemExit'):
                yield path, node.lineno, f'cannot be caught for what it is: {said}'
            if '{}' not in message and kind not in WITHOUT_VALUE:
                yield path, node.lineno, f'shows no value: {said}'
            if len(re.findall(r'[a-z]{2,}', message)) < 2:
                yield path, node.lineno, f'explains nothing: {said}'


def unsafe_calls(root: Path) -> Iterator[Finding]:
    """Nothing is loaded by what could run code of the file."""
    for path in sources(root, 'ifdd_mmaction', 'tools'):
        for call in nodes(path, ast.Call):
            name = ast.unparse(call.func)
            options = {word.arg: ast.unparse(word.value) for word in call.keywords}
            unsafe = name in UNSAFE_CALLS
            if name in ('torch.load', 'torch.hub.load_state_dict_from_url'):
                unsafe = options.get('weights_only') != 'True'
            if name in ('np.load', 'numpy.load'):
                unsafe = options.get('allow_pickle') == 'True'
            if unsafe:
                yield path, call.lineno, f'could run code: {ast.unparse(call)[:90]}'


def exit_codes(root: Path) -> Iterator[Finding]:
    """Every tool is in docs/errors.md, with the codes of its own docstring."""
    page = root / 'docs' / 'errors.md'
    lines = page.read_text('utf-8').splitlines() if page.is_file() else []
    for path in sources(root, 'tools'):
        for node in nodes(path, ast.Raise):
            if 'SystemExit' in ast.unparse(node):  # SystemExit('text') is exit code 1
                yield path, node.lineno, 'raises SystemExit: return 2 from main()'
        text = path.read_text('utf-8')
        if not re.search(r'^if __name__ == .__main__', text, re.MULTILINE):
            continue
        name = path.relative_to(root).as_posix()
        rows = [line for line in lines if line.startswith(f'| `{name}` |')]
        codes = {int(c) for row in rows for c in re.findall(r'\*\*(\d+)\*\*', row)}
        said = ast.get_docstring(ast.parse(text)) or ''
        _, _, told = said.partition('Exit codes:')
        own = {int(code) for code in re.findall(r'(?<![\w.])(\d+)\s[a-z]', told)}
        if len(rows) != 1:
            yield path, 1, f'has {len(rows)} rows in docs/errors.md instead of 1'
        elif codes != own or 0 not in codes:
            yield (
                path,
                1,
                (
                    f'exit codes {sorted(own)} in the docstring, {sorted(codes)} in '
                    'docs/errors.md'
                ),
            )
