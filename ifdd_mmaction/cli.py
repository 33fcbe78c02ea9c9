"""What the command lines of the tools have in common; :func:`main` is ``ifdd``."""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from mmengine.config import DictAction

from .checkpoints import CheckpointError
from .datasets import DatasetError
from .engine import NonFiniteError
from .errors import UNWRITABLE, InputError

__all__ = [
    'add_base',
    'add_cfg_options',
    'add_launcher',
    'cfg_option_words',
    'describe',
    'exit_code',
    'main',
    'parse_cfg_options',
]


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


def add_launcher(parser: argparse.ArgumentParser) -> None:
    """Add ``--launcher``, and ``--local-rank`` for old launchers."""
    parser.add_argument(
        '--launcher', choices=['none', 'pytorch', 'slurm', 'mpi'], default='none'
    )
    parser.add_argument(
        '--local_rank', '--local-rank', type=int, default=0, help=argparse.SUPPRESS
    )


def main(argv: Sequence[str] | None = None) -> int:
    """Run ``ifdd VERB ...``; return its exit code.

    Args:
        argv: The words after ``ifdd``; those of the command line by default.
    """
    # Beside the package, so that `ifdd --help` does not import it.
    from ifdd_cli import main as ifdd

    return ifdd(argv)


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
