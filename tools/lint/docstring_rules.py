"""Rules of docstrings that ruff's pydocstyle does not have.

Public names are explained: what a registered class takes, where a part of the model
comes from, the shapes of arrays and the errors that are raised.
"""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from error_rules import Finding, sources

#: ``(N, C, T, H, W)``, ``(T,)``, ``(..., 3)``, or no dimension at all.
SHAPE = re.compile(r'``\([^`]*,[^`]*\)``|\([A-Z\d.][^()]*,[^()]*\)|[Ss]calar|any shape')
ARRAYS = re.compile(r'\b(Tensor|ndarray|NDArray)\b')
#: Where a part of the model comes from.
SOURCE = re.compile(
    r'arXiv|[Pp]aper|IFDD|[Rr]eference|authors|et al|https?://|[Oo]ur design'
    r'|MMAction2|torchvision|timm'
)
Definition = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef


def explained(root: Path) -> Iterator[Finding]:
    """Every public class and function says what it does."""
    for path in sources(root, 'ifdd_mmaction'):
        tree = ast.parse(path.read_text('utf-8'))
        module = ast.get_docstring(tree) or ''
        for name, node, owner in public(tree.body):
            for fault in faults(node, owner, module):
                yield path, node.lineno, f'{name}: {fault}'


def public(
    body: list[ast.stmt], path: str = '', owner: str = ''
) -> Iterator[tuple[str, Definition, str]]:
    """Yield name, node and docstring of the owner of every public definition."""
    for node in body:
        if isinstance(node, Definition) and not node.name.startswith('_'):
            yield f'{path}{node.name}', node, owner
            if isinstance(node, ast.ClassDef):
                doc = ast.get_docstring(node) or ''
                yield from public(node.body, f'{path}{node.name}.', doc)


def faults(node: Definition, owner: str, module: str) -> Iterator[str]:
    """Yield what a docstring lacks; its class and its module may say some of it."""
    doc = ast.get_docstring(node)
    if not doc:
        return  # ruff says so
    if doc.splitlines()[0].strip()[-1:] not in '.:':
        yield 'the first line is no sentence'
    body = initialiser(node)
    if isinstance(node, ast.ClassDef) and (registry := registry_of(node)):
        for missing in sorted(parameters(body) - {'args'} - entries(doc, 'Args')):
            yield f'Args does not explain {missing!r}'
        if registry == 'MODELS' and not SOURCE.search(doc + module):
            yield 'no source (paper, authors, upstream, or our design)'
    if body is None:
        return
    said = entries(doc, 'Raises') | entries(owner, 'Raises')
    for error in sorted(raised(body) - said):
        yield f'Raises does not name {error}'
    if not isinstance(node, ast.ClassDef) and not is_property(node):
        hints = [a.annotation for a in body.args.args] + [body.returns]
        arrays = [h for h in hints if h and ARRAYS.search(ast.unparse(h))]
        if arrays and not SHAPE.search(doc):
            yield 'takes or returns arrays, but says no shape'
        for unknown in sorted(entries(doc, 'Args') - parameters(body)):
            yield f'Args explains {unknown!r}, which is no parameter'


def initialiser(node: Definition) -> ast.FunctionDef | None:
    """Return the ``__init__`` of a class: what calling it takes and raises."""
    if not isinstance(node, ast.ClassDef):
        return node
    found = [n for n in node.body if getattr(n, 'name', '') == '__init__']
    return found[0] if found else None


def entries(docstring: str, title: str) -> set[str]:
    """Return the names that ``Args:`` or ``Raises:`` explains."""
    found = re.search(rf'^{title}:\n((?:[ ]+.*\n|\n)+)', docstring + '\n', re.MULTILINE)
    return {
        name.strip().lstrip('*').rpartition('.')[2]
        for names in re.findall(
            r'^    ([\w*.][\w*., ]*):(?:\s|$)', found[1] if found else '', re.MULTILINE
        )
        for name in names.split(',')
    }


def raised(function: ast.FunctionDef | ast.Module) -> set[str]:
    """Return the exceptions that the body itself raises by name.

    An abstract method's NotImplementedError is for who writes a subclass; what a helper
    defined inside raises, or what is caught here, need not get out.
    """
    names: set[str] = set()
    todo: list[ast.AST] = list(function.body)
    while todo:
        node = todo.pop()
        if isinstance(node, Definition | ast.Lambda):
            continue
        if isinstance(node, ast.Try):
            caught = ' '.join(ast.unparse(h.type) for h in node.handlers if h.type)
            inside = ast.Module(node.body, [])
            names |= {n for n in raised(inside) if n not in re.findall(r'\w+', caught)}
            todo += [*node.handlers, *node.orelse, *node.finalbody]
            continue
        if isinstance(node, ast.Raise) and node.exc is not None:
            error = node.exc.func if isinstance(node.exc, ast.Call) else node.exc
            name = ast.unparse(error).rpartition('.')[2]
            if name[:1].isupper() and name != 'NotImplementedError':
                names.add(name)
        todo += ast.iter_child_nodes(node)
    return names


def registry_of(node: Definition) -> str:
    """Return the registry that a class is put into by its decorator."""
    decorators = ' '.join(ast.unparse(d) for d in node.decorator_list)
    found = re.search(r'(\w+)\.register_module', decorators)
    return found[1] if found else ''


def parameters(function: ast.FunctionDef | None) -> set[str]:
    """Return the names that a call may use."""
    if function is None:
        return set()
    arguments = function.args
    every = arguments.posonlyargs + arguments.args + arguments.kwonlyargs
    rest = [a for a in (arguments.vararg, arguments.kwarg) if a]
    return {a.arg for a in every + rest} - {'self', 'cls'}


def is_property(node: Definition) -> bool:
    """Return whether a method is a property."""
    return any('property' in ast.unparse(d) for d in node.decorator_list)
