"""The command ``ifdd``, and the options that the tools share.

Each verb of ``ifdd`` runs the tool of that name in this process: it has the tool's
options, which the tool reads, and its exit codes.
"""

from __future__ import annotations

import argparse
import difflib
import re
import sys
from collections.abc import Callable, Mapping, Sequence
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType
from typing import Any

from mmengine.config import DictAction

from .checkpoints import CheckpointError
from .datasets import DatasetError
from .engine import NonFiniteError
from .errors import UNWRITABLE, InputError

__all__ = [
    'add_base',
    'add_calibrated',
    'add_cfg_options',
    'add_launcher',
    'add_model',
    'cfg_option_words',
    'check_ranges',
    'choose_model',
    'describe',
    'exit_code',
    'main',
    'parse_cfg_options',
]

#: The model of videos where no config is given, and the probability that an expression
#: must have to be named then (docs/photo_faces.md).
DEFAULT_MODEL, ABSTAIN_BELOW = 'ifdd_cnn_photo', 0.4
#: The tool of each verb, and what it does.
VERBS = {
    'train': ('train.py', 'train a recognizer'),
    'test': ('test.py', 'test a checkpoint: WAR, UAR, recall of each class'),
    'infer': ('infer.py', 'expressions over time of the faces in videos'),
    'export': ('export.py', 'export a checkpoint to ONNX or torch.export'),
    'calibrate': ('calibrate.py', 'fit the temperature of a checkpoint'),
    'zoo': ('zoo.py', 'list the released checkpoints, download one'),
    'prepare': ('data/prepare.py', 'check, extract, split and pack a dataset'),
    'kfold': ('kfold.py', 'train and test every fold, and make one table'),
    'doctor': ('doctor.py', 'check the installation, with a remedy for each problem'),
}


def describe(doc: str | None) -> str:
    """Return what the head of a tool says it does: its first line, to a colon.

    Example:
        >>> describe('Train a recognizer: ``python tools/train.py``.')
        'Train a recognizer'
    """
    line = (doc or '').strip().partition('\n')[0]
    return re.sub(r':\s.*|[.:]$', '', line)


def add_cfg_options(
    parser: argparse.ArgumentParser,
    text: str = 'KEY=VALUE into the config',
    as_words: bool = False,
) -> None:
    """Add ``--cfg-options``.

    Args:
        parser: It gets the option.
        text: Its help.
        as_words: Whether to keep the words for another command line, a list, in place
            of reading their values; see :func:`parse_cfg_options`.
    """
    kind: dict[str, Any] = dict(default=[]) if as_words else dict(action=DictAction)
    parser.add_argument('--cfg-options', nargs='+', help=text, **kind)


def parse_cfg_options(words: Sequence[str]) -> dict[str, Any]:
    """Read the values of ``KEY=VALUE ...`` as :func:`add_cfg_options` does.

    Example:
        >>> parse_cfg_options(['train_cfg.max_epochs=2', 'model.neck.split=None'])
        {'train_cfg.max_epochs': 2, 'model.neck.split': None}
    """
    parser = argparse.ArgumentParser()
    add_cfg_options(parser)
    return parser.parse_args(['--cfg-options', *words]).cfg_options if words else {}


def cfg_option_words(options: Mapping[str, Any] | Sequence[str]) -> list[str]:
    """Return options as the words of a command line; words stay as they are.

    Raises:
        InputError: If a command line cannot hold a value.

    Example:
        >>> cfg_option_words({'train_cfg.max_epochs': 2, 'model.neck.split': None})
        ['train_cfg.max_epochs=2', 'model.neck.split=None']
    """
    if not isinstance(options, Mapping):
        return list(options)
    words = []
    for key, value in options.items():
        text = str(value)
        if isinstance(value, (list, tuple)):
            text = text.replace(' ', '').replace("'", '')
        word = f'{key}={text}'
        if parse_cfg_options([word]) != {key: value}:
            raise InputError(f'{key}={value!r}: write it into a config file')
        words.append(word)
    return words


def add_base(parser: argparse.ArgumentParser) -> None:
    """Add ``--base``, the config that one of ``configs/ablation`` changes."""
    parser.add_argument(
        '--base',
        metavar='NAME',
        help='config that one of configs/ablation or configs/_base_ changes, such as '
        'ifdd_cnn_dfew ($IFDD_BASE, or else ifdd_vit_dfew)',
    )


def add_calibrated(parser: argparse.ArgumentParser) -> None:
    """Add ``--calibrated``, which divides logits by the checkpoint's temperature."""
    parser.add_argument(
        '--calibrated',
        action='store_true',
        help="divide scores by the checkpoint's temperature (of `ifdd calibrate`)",
    )


def add_model(parser: argparse.ArgumentParser) -> None:
    """Add the options of the model that classifies videos; see :func:`choose_model`."""
    parser.add_argument(
        '--config',
        help='config of the model, or its name in the zoo (the default is '
        f'{DEFAULT_MODEL}, with --calibrated and --abstain-below {ABSTAIN_BELOW})',
    )
    parser.add_argument('--checkpoint', help='its weights (those of the zoo)')
    add_calibrated(parser)
    parser.add_argument(
        '--abstain-below',
        type=float,
        metavar='P',
        help='"not sure" in place of a class where its probability is below P, from 0 '
        'to 1',
    )


def choose_model(parser: argparse.ArgumentParser, args: argparse.Namespace) -> None:
    """Take the default model, with its temperature, if no config is given."""
    if args.config is not None:
        return
    if args.checkpoint is not None:
        parser.error('--checkpoint needs the --config that it was trained with')
    args.config, args.calibrated = DEFAULT_MODEL, True
    if args.abstain_below is None:
        args.abstain_below = ABSTAIN_BELOW


def check_ranges(
    parser: argparse.ArgumentParser,
    args: argparse.Namespace,
    ranges: Sequence[tuple[str, int, int, str]],
) -> None:
    """End with an error of the parser where an option is out of its range.

    Args:
        parser: What has read the options.
        args: The options.
        ranges: Name, smallest value, largest value and reason of each.
    """
    for name, low, high, why in ranges:
        value = getattr(args, name)
        if not low <= value <= high:
            parser.error(f'--{name} is {value}, choose {low} to {high}: {why}')


def add_launcher(parser: argparse.ArgumentParser) -> None:
    """Add ``--launcher``, and ``--local-rank`` for old launchers."""
    parser.add_argument(
        '--launcher', choices=['none', 'pytorch', 'slurm', 'mpi'], default='none'
    )
    parser.add_argument(
        '--local_rank', '--local-rank', type=int, default=0, help=argparse.SUPPRESS
    )


def exit_code(call: Callable[[], object]) -> int:
    """Call what a tool is for; print an error as one line.

    Returns:
        0 done, 2 wrong data or arguments, 3 a checkpoint cannot be read or a folder
        cannot be written to, 4 the loss is not finite.

    Example:
        >>> exit_code(lambda: print('done'))
        done
        0
    """
    try:
        call()
    except (DatasetError, InputError) as error:
        code, said = 2, str(error)
    except CheckpointError as error:
        code, said = 3, str(error)
    except NonFiniteError as error:
        code, said = 4, str(error)
    except OSError as error:
        if error.errno not in UNWRITABLE:
            raise
        code, said = (
            3,
            f'{error.filename or "a file"} cannot be written: {error.strerror}',
        )
    else:
        return 0
    print(said, file=sys.stderr)
    return code


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
    before = sys.argv, sys.path[:]
    sys.argv = [f'ifdd {verb}', *arguments]
    sys.path.insert(0, str(tool.parent))  # as Python does for a script
    try:
        return int(_load(tool).main() or 0)
    except SystemExit as end:
        if end.code is None or isinstance(end.code, int):
            return end.code or 0
        print(end.code, file=sys.stderr)
        return 1
    finally:
        sys.argv, sys.path[:] = before


def _load(tool: Path) -> ModuleType:
    spec = spec_from_file_location(tool.stem, tool)
    if spec is None or spec.loader is None:
        raise ImportError(f'{tool} cannot be imported')
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def usage() -> str:
    """Return the verbs, a line each."""
    lines = [
        'usage: ifdd VERB ...',
        '',
        'Dynamic facial expression recognition. ifdd VERB --help lists the options.',
        '',
        *(f'  {verb:9} {about}' for verb, (_, about) in VERBS.items()),
    ]
    return '\n'.join(lines)


def tools_folder() -> Path:
    """Return the folder of the tools: of the installed package, or of the clone."""
    package = Path(__file__).parent
    installed = package / '.mim' / 'tools'
    return installed if installed.is_dir() else package.parent / 'tools'
