"""The site: ``make docs``.

Sphinx, because the docstrings are written for it, as MMAction2's are, and because it
takes every broken link for an error when told to. Equations become MathML when the site
is built: no page fetches a script, a font or anything else from another host.
"""

from __future__ import annotations

import inspect
import pkgutil
import re
import sys
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

from docutils import nodes
from latex2mathml.converter import convert
from sphinx.addnodes import pending_xref
from sphinx.application import Sphinx

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent
sys.path.insert(0, str(ROOT))

import ifdd_mmaction  # noqa: E402  of this repository, wherever one is installed

project = 'ifdd_mmaction'
author = copyright = 'The ifdd_mmaction contributors'
release = version = ifdd_mmaction.__version__

extensions = [
    'myst_parser',
    'sphinx.ext.autodoc',
    'sphinx.ext.napoleon',
    'sphinx.ext.githubpages',
]
# The sources are below the root, for pages link to data/README.md and its like.
root_doc = 'docs/index'
PLACES = ('configs', 'data', 'docs')
include_patterns = [
    'docs/**.md',
    'data/README.md',
    'configs/**/README.md',
    'CHANGELOG.md',
    'CONTRIBUTING.md',
    'README.md',
]
exclude_patterns = [
    *(p.name for p in ROOT.iterdir() if p.is_dir() and p.name not in PLACES),
    'data/[!R]*',  # datasets
]

myst_enable_extensions = ['dollarmath']
myst_heading_anchors = 3
# Shell and Python as they stand in a page; YAML and trees of folders are no language.
highlight_language = 'none'

autodoc_default_options = {'members': True, 'show-inheritance': True}
autodoc_inherit_docstrings = False
autodoc_member_order = 'bysource'
autodoc_typehints = 'none'  # signatures stay readable; Args tell what a thing is
napoleon_numpy_docstring = False
napoleon_use_ivar = True
nitpicky = True
# A type variable has no page.
nitpick_ignore = [('py:obj', 'ifdd_mmaction.faces.matching.T')]

html_theme = 'furo'
html_title = f'ifdd_mmaction {release}'
html_math_renderer = 'mathml'
html_copy_source = False
html_static_path = ['site.css']
html_css_files = ['site.css']
pygments_style = 'friendly'

#: A module may have the name of a function in it, so it is described without an entry
#: in the index.
MODULE = """\
{marks} {title}

```{{eval-rst}}
.. automodule:: {name}
   :no-members:
   :no-index:

{members}
```

"""


def public_names(module: ModuleType) -> list[str]:
    """Return the classes and functions in ``__all__``, or else those defined."""
    described = {
        name: value
        for name, value in vars(module).items()
        if inspect.isclass(value) or inspect.isfunction(value)
    }
    if hasattr(module, '__all__'):
        return [name for name in module.__all__ if name in described]
    return [
        name
        for name, value in described.items()
        if not name.startswith('_') and value.__module__ == module.__name__
    ]


def kind(value: object) -> str:
    """Return what autodoc calls a thing."""
    if inspect.isclass(value):
        return 'exception' if issubclass(value, Exception) else 'class'
    return 'function'


def write_api_pages(app: Sphinx) -> None:
    """Write a page for each package; each object is where it is imported from."""
    every = pkgutil.walk_packages(ifdd_mmaction.__path__, 'ifdd_mmaction.')
    found = [info for info in every if '._' not in info.name]  # __main__ would run
    pages = {'ifdd_mmaction': '# ifdd_mmaction\n\n'}
    seen: set[int] = set()
    # Packages before modules, outer ones before inner ones.
    for info in sorted(found, key=lambda info: (not info.ispkg, info.name)):
        module = import_module(info.name)
        objects = {name: id(getattr(module, name)) for name in public_names(module)}
        names = [name for name, value in objects.items() if value not in seen]
        seen.update(objects.values())
        page = info.name if info.ispkg else info.name.rpartition('.')[0]
        if names or info.ispkg:
            marks = '##' if page in pages else '#'
            members = '\n'.join(
                f'.. auto{kind(getattr(module, name))}:: {info.name}.{name}'
                for name in names
            )
            text = MODULE.format(
                marks=marks,
                title=info.name.removeprefix('ifdd_mmaction.'),
                name=info.name,
                members=members,
            )
            pages[page] = pages.get(page, '') + text
    for stale in (HERE / 'api').glob('ifdd_mmaction*.md'):
        if stale.stem not in pages:
            stale.unlink()
    for name, text in pages.items():
        path = HERE / 'api' / f'{name}.md'
        if not path.exists() or path.read_text() != text:
            path.write_text(text)


def skip_member(
    app: Sphinx, kind: str, name: str, value: object, skip: bool, options: object
) -> bool | None:
    """Leave out the fields of named tuples: ``Attributes:`` explains them."""
    return True if type(value).__name__ == '_tuplegetter' else None


def link_names(app: Sphinx, doctree: nodes.document) -> None:
    """Make a link of every name in code type that could be a class of ours."""
    for literal in list(doctree.findall(nodes.literal)):
        name = literal.astext()
        linked = isinstance(literal.parent, nodes.reference | pending_xref)
        if not linked and re.fullmatch(r'[A-Z]\w*[a-zA-Z](\.\w+)?', name):
            reference = pending_xref(
                '',
                literal.deepcopy(),
                refdomain='py',
                reftype='obj',
                reftarget=name,
                refdoc=app.env.docname,
                optional=True,
            )
            literal.replace_self(reference)


def find_by_name(
    app: Sphinx, env: Any, node: pending_xref, content: nodes.Node
) -> nodes.Node | None:
    """Resolve ``:class:`LADM``` wherever the class is.

    Others' classes, and words where napoleon expects a type, stay text.
    """
    if node.get('refdomain') != 'py':
        return None
    target = node['reftarget']
    owner, _, name = target.removeprefix('.').rpartition('.')
    owner = owner.rpartition('.')[2]
    ending = f'.{owner}.{name}' if owner[:1].isupper() else f'.{name}'
    domain = env.get_domain('py')
    found = sorted((n for n in domain.objects if n.endswith(ending)), key=len)
    if found:
        return domain.resolve_xref(
            env, node['refdoc'], app.builder, node['reftype'], found[0], node, content
        )
    package = target.partition('.')[0]
    theirs = package in sys.modules.keys() - {project}
    # Constants and modules have no entry; napoleon takes words for types.
    unlisted = node['reftype'] in ('data', 'mod')
    words = node.get('refspecific') or node.get('optional')
    return content if theirs or unlisted or words else None


def render_inline(translator: Any, node: nodes.math) -> None:
    """Write an equation within a line as MathML."""
    translator.body.append(convert(node.astext()))
    raise nodes.SkipNode


def render_block(translator: Any, node: nodes.math_block) -> None:
    """Write an equation on a line of its own as MathML."""
    mathml = convert(node.astext(), display='block')
    translator.body.append(f'<div class="math">{mathml}</div>')
    raise nodes.SkipNode


def write_root_page(app: Sphinx, error: Exception | None) -> None:
    """Redirect from the root of the site to its first page."""
    if error is None and app.builder.name == 'html':
        page = '<meta http-equiv="refresh" content="0; url=docs/index.html">\n'
        (Path(app.outdir) / 'index.html').write_text(page)


def setup(app: Sphinx) -> None:
    """Register what this file adds to Sphinx."""
    app.connect('builder-inited', write_api_pages)
    app.connect('autodoc-skip-member', skip_member)
    app.connect('doctree-read', link_names)
    app.connect('missing-reference', find_by_name)
    app.connect('build-finished', write_root_page)
    app.add_html_math_renderer('mathml', (render_inline, None), (render_block, None))
