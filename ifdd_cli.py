"""The console command ``ifdd``: each verb runs the tool of that name.

A verb has the options of its tool, which reads them, and its exit codes. This module is
outside of the package and imports nothing of it, since importing the package imports
PyTorch: ``ifdd --help`` answers at once.
"""

from __future__ import annotations

import difflib
import sys
from collections.abc import Sequence
from importlib.machinery import SourceFileLoader
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType

#: The tool of each verb, and what it does.
VERBS = {
    'train': ('train.py', 'train a recognizer'),
    'test': ('test.py', 'test a checkpoint: WAR, UAR, recall of each class'),
    'infer': ('infer.py', 'emotions over time of the faces in videos'),
    'export': ('export.py', 'export a checkpoint to ONNX or torch.export'),
    'zoo': ('zoo.py', 'list the released checkpoints, download one'),
    'prepare': ('data/prepare.py', 'check, extract, split and pack a dataset'),
    'kfold': ('kfold.py', 'train and test every fold, and make one table'),
}


def main(argv: Sequence[str] | None = None) -> int:
    """Run ``ifdd VERB ...`` in this process.

    Args:
        argv: The words after ``ifdd``; those of the command line by default.

    Returns:
        The exit code: that of the tool, or 2 for a verb that there is not.

    Example:
        >>> main(['trian'])
        2
        >>> main([])  # doctest: +ELLIPSIS
        usage: ifdd VERB ...
        0
    """
    words = list(sys.argv[1:] if argv is None else argv)
    if not words or words[0] in ('-h', '--help'):
        print(usage())
        return 0
    verb, *arguments = words
    if verb not in VERBS:
        near = difflib.get_close_matches(verb, VERBS, n=1, cutoff=0)
        print(f'ifdd: no verb {verb}, do you mean {near[0]}?', file=sys.stderr)
        return 2
    tool = tools_folder() / VERBS[verb][0]
    if not tool.is_file():
        print(f'ifdd: no file {tool}: install the package again', file=sys.stderr)
        return 2
    before = sys.argv, sys.path[:], sys.modules['__main__']
    sys.argv = [f'ifdd {verb}', *arguments]
    sys.path.insert(0, str(tool.parent))  # as Python does for a script
    try:
        run_script(tool)
    except SystemExit as end:
        if end.code is None or isinstance(end.code, int):
            return end.code or 0
        print(end.code, file=sys.stderr)
        return 1
    finally:
        sys.argv, sys.path[:], sys.modules['__main__'] = before
    return 0


def run_script(path: Path) -> None:
    """Run a script as ``runpy.run_path`` does, but leave ``sys.argv`` as it is.

    Its first word is what the help of the tool calls the command.
    """
    loader = SourceFileLoader('__main__', str(path))
    module = ModuleType('__main__')
    module.__file__ = str(path)
    sys.modules['__main__'] = module
    loader.exec_module(module)


def usage() -> str:
    """Return the verbs, a line each."""
    lines = [
        'usage: ifdd VERB ...',
        '',
        'Dynamic facial expression recognition. ifdd VERB --help lists the options.',
        '',
        *(f'  {verb:8} {about}' for verb, (_, about) in VERBS.items()),
    ]
    return '\n'.join(lines)


def tools_folder() -> Path:
    """Return the folder of the tools: of the installed package, or of the clone."""
    spec = find_spec('ifdd_mmaction')  # of a package: nothing is imported
    package = Path(spec.origin).parent if spec and spec.origin else Path()
    installed = package / '.mim' / 'tools'
    return installed if installed.is_dir() else package.parent / 'tools'


if __name__ == '__main__':
    sys.exit(main())
