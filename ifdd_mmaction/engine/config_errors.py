"""What a wrong config raises, as one line."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

from mmengine.hooks import Hook
from mmengine.runner import Runner

from ..checkpoints import CheckpointError
from ..errors import InputError

#: Set to see the traceback of what ends a tool before it has begun.
TRACEBACK = 'IFDD_TRACEBACK'


class BegunHook(Hook):
    """Know whether training or testing has begun."""

    begun = False

    def before_train(self, runner: Runner) -> None:
        """Note that training begins."""
        self.begun = True

    def before_test(self, runner: Runner) -> None:
        """Note that testing begins."""
        self.begun = True


@contextmanager
def config_errors(config: str, begun: BegunHook) -> Iterator[None]:
    """Turn what is raised before a run begins into one line about its config.

    A config is a program, and a number in it reaches every constructor: all kinds of
    errors come from it. Errors of this package's own kinds, those of files that cannot
    be written, and all that comes after the run has begun pass as they are.

    Args:
        config: What to call the config.
        begun: Registered at the runner.

    Raises:
        InputError: In place of any other error; with ``$IFDD_TRACEBACK`` set, none is.
    """
    try:
        yield
    except (CheckpointError, InputError):
        raise
    except Exception as error:
        own = type(error).__module__.startswith('ifdd_mmaction')
        writing = isinstance(error, OSError) and not isinstance(
            error, FileNotFoundError
        )
        if own or writing or begun.begun or os.environ.get(TRACEBACK):
            raise
        # Python says first where a config has a syntax error, and last what it is;
        # registries say first what is wrong.
        text = str(error.args[0] if isinstance(error, KeyError) else error)
        lines = [line.strip() for line in text.splitlines() if line.strip()]
        said = ' '.join(lines[:3]) or 'no reason given'
        raise InputError(
            f'{config} cannot be used: {type(error).__name__}: {said} (set '
            f'{TRACEBACK}=1 to see where)'
        ) from error
