"""What can be checked of every error without running into it; and docs/errors.md."""

import ast
import re
from pathlib import Path

import pytest

from tests.golden import ROOT

PACKAGE = sorted((ROOT / 'ifdd_mmaction').rglob('*.py'))
TOOLS = sorted((ROOT / 'tools').rglob('*.py'))
#: What was asked for is not installed: there is no value to show.
WITHOUT_VALUE = ('ImportError',)
#: Only reading that trusts the file would need them.
UNSAFE_CALLS = ('eval', 'exec', 'compile', 'pickle.load', 'pickle.loads', 'yaml.load',
                'yaml.unsafe_load', 'yaml.full_load', 'os.system', 'marshal.loads',
                'joblib.load', 'torch.jit.load')  # fmt: skip


def nodes(path: Path, kind: type) -> list:
    tree = ast.parse(path.read_text(encoding='utf-8'))
    return [node for node in ast.walk(tree) if isinstance(node, kind)]


def where(path: Path, node: ast.AST) -> str:
    return f'{path.relative_to(ROOT)}:{node.lineno}: {ast.unparse(node)[:90]}'


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


@pytest.mark.parametrize('path', PACKAGE, ids=lambda p: str(p.relative_to(ROOT)))
def test_an_error_says_what_was_seen(path):
    assert not nodes(path, ast.Assert), f'{path}: users run without assertions, too'
    bad = []
    for node in nodes(path, ast.Raise):
        if isinstance(node.exc, ast.Name) and node.exc.id[0].isupper():
            bad.append(f'{where(path, node)}: says nothing')
        if not isinstance(node.exc, ast.Call):
            continue  # raised again
        kind, message = ast.unparse(node.exc.func), message_of(node.exc)
        if re.match(r'(self\.)?_[a-z]', kind):
            continue  # a function that makes the error: the message is there
        if kind in ('Exception', 'BaseException', 'AssertionError', 'SystemExit'):
            bad.append(
                f'{where(path, node)}: a kind that nobody can catch for what it is'
            )
        if '{}' not in message and kind not in WITHOUT_VALUE:
            bad.append(f'{where(path, node)}: shows no value')
        if len(re.findall(r'[a-z]{2,}', message)) < 2:
            bad.append(f'{where(path, node)}: explains nothing')
    assert not bad, '\n'.join(bad)


@pytest.mark.parametrize(
    'path', PACKAGE + TOOLS, ids=lambda p: str(p.relative_to(ROOT))
)
def test_nothing_is_loaded_by_what_could_run_code(path):
    bad = []
    for call in nodes(path, ast.Call):
        name = ast.unparse(call.func)
        options = {word.arg: ast.unparse(word.value) for word in call.keywords}
        if name in UNSAFE_CALLS:
            bad.append(where(path, call))
        careless = options.get('weights_only') != 'True'
        if careless and name in ('torch.load', 'torch.hub.load_state_dict_from_url'):
            bad.append(where(path, call))
        if name in ('np.load', 'numpy.load') and options.get('allow_pickle') == 'True':
            bad.append(where(path, call))
    assert not bad, '\n'.join(bad)


# --- exit codes -----------------------------------------------------------------------


def programs() -> list[Path]:
    return [p for p in TOOLS if '__main__' in p.read_text('utf-8')]


@pytest.mark.parametrize('path', programs(), ids=lambda p: p.name)
def test_exit_codes_are_documented(path):
    """Every tool is in docs/errors.md, with the codes of its own docstring."""
    page = (ROOT / 'docs' / 'errors.md').read_text('utf-8')
    name = path.relative_to(ROOT).as_posix()
    (row,) = (line for line in page.splitlines() if line.startswith(f'| `{name}` |'))
    codes = {int(code) for code in re.findall(r'\*\*(\d+)\*\*', row)}
    said = ast.get_docstring(ast.parse(path.read_text('utf-8'))) or ''
    _, _, told = said.partition('Exit codes:')
    own = {int(code) for code in re.findall(r'(?<![\w.])(\d+)\s[a-z]', told)}
    assert codes == own and 0 in codes, (codes, own)


def test_a_tool_that_ends_with_a_message_ends_with_two():
    """``SystemExit('text')`` is exit code 1."""
    for path in TOOLS:
        for node in nodes(path, ast.Raise):
            assert 'SystemExit' not in ast.unparse(node), where(path, node)
