"""Reading checkpoints and YAML: no code is run, and weights fit or are refused."""

import functools
import re
from collections.abc import Callable, Sequence
from pathlib import Path, PurePosixPath
from types import ModuleType
from typing import Any
from urllib.parse import urlparse

import torch
import yaml

from ..checkpoints import SAFE_GLOBALS, CheckpointError, read_checkpoint
from ..errors import InputError
from ..weights import find_state, load_all, load_start, off_the_names, strip_prefixes


def allow_checkpoint_globals() -> None:
    """MMEngine's checkpoints fail to load with ``weights_only`` (mmengine#1655).

    Allowing again what MMEngine may one day allow itself changes nothing.
    """
    torch.serialization.add_safe_globals(SAFE_GLOBALS)


def load_weights_only() -> None:
    """MMEngine lets a checkpoint run code: from URLs, and from files before torch 2.6.

    It leaves ``weights_only`` to defaults, which are False in ``torch.hub`` to this
    day and in ``torch.load`` before 2.6. Passing True changes nothing once it does.
    """
    from mmengine.runner import checkpoint

    if checkpoint.torch is not torch:
        return

    # Every loader of that module calls its global `torch.load`. Giving it a torch of
    # its own leaves the torch.load of everybody else alone.
    view = ModuleType('torch')
    vars(view).update(
        load=read_checkpoint, __getattr__=functools.partial(getattr, torch)
    )
    checkpoint.torch = view
    checkpoint.load_url = _load_url


def _load_url(
    url: str,
    model_dir: str | None = None,
    map_location: Any = None,
    progress: bool = True,
) -> Any:
    """``torch.hub.load_state_dict_from_url``, which also takes safetensors."""
    folder = Path(model_dir or Path(torch.hub.get_dir(), 'checkpoints'))
    file = folder / PurePosixPath(urlparse(url).path).name
    fetched = not file.exists()
    if fetched:
        folder.mkdir(parents=True, exist_ok=True)
        try:
            # Into a temporary file beside it, which is then renamed.
            torch.hub.download_url_to_file(url, str(file), progress=progress)
        except OSError as error:
            raise CheckpointError(f'{url} cannot be fetched: {error}') from error
    try:
        return read_checkpoint(file, map_location)
    except CheckpointError as error:
        if not fetched:
            raise
        # torch.hub takes a connection that broke for the end of the file.
        file.unlink(missing_ok=True)
        raise CheckpointError(
            f'{error}. It was fetched from {url} just now and is removed'
        ) from error


def load_weights_that_fit() -> None:
    """MMEngine's Runner tests with random weights (mmdetection#11865, #1151).

    It logs which tensors of a checkpoint do not fit, also when none does, and goes on.
    Here all have to fit in testing and resuming, and enough of them in training.
    """
    from mmengine.runner import BaseLoop, Runner
    from mmengine.runner.checkpoint import _load_checkpoint

    if Runner.load_checkpoint.__module__ == __name__:
        return

    def load_checkpoint(
        self: Runner,
        filename: str,
        map_location: str | Callable = 'cpu',
        strict: bool = False,
        revise_keys: Sequence[tuple[str, str]] = (),
    ) -> dict:
        checkpoint = _load_checkpoint(filename, map_location=map_location)
        state = find_state(checkpoint, filename)
        for pattern, replacement in revise_keys:
            state = {re.sub(pattern, replacement, k): v for k, v in state.items()}
        state, stripped = strip_prefixes(state, self.model, filename)
        if stripped:
            self.logger.warning(off_the_names(filename, stripped))
        # The hooks get it under the name that they know, also where it is bare.
        bare = 'state_dict' not in checkpoint
        checkpoint = dict(state_dict=state) if bare else checkpoint
        checkpoint['state_dict'] = state
        place = {'epoch', 'iter'} <= set(checkpoint.get('meta') or ())
        if self._resume and not (place and 'message_hub' in checkpoint):
            raise InputError(
                f'{filename} has weights and no place in a training to go on from: '
                'give it as load_from, without --resume'
            )
        self.call_hook('after_load_checkpoint', checkpoint=checkpoint)
        loops = (self._val_loop, self._test_loop)
        training = isinstance(self._train_loop, BaseLoop)
        scoring = not training and any(isinstance(loop, BaseLoop) for loop in loops)
        if strict or scoring or self._resume:
            load_all(self.model, checkpoint['state_dict'], filename)
            self.logger.info(f'all weights loaded from {filename}')
        else:
            said = load_start(self.model, checkpoint['state_dict'], filename)
            self.logger.info(f'weights to start from: {said}')
        self._has_loaded = True
        return checkpoint

    Runner.load_checkpoint = load_checkpoint


def load_yaml_safely() -> None:
    """MMEngine reads YAML with a loader that builds any Python object.

    Tuples, which it writes when it dumps a config, are the only ones that are kept.
    """
    from mmengine.fileio.handlers import yaml_handler

    class Loader(yaml.SafeLoader):
        pass

    Loader.add_constructor(
        'tag:yaml.org,2002:python/tuple',
        lambda loader, node: tuple(loader.construct_sequence(node, deep=True)),
    )
    if not issubclass(yaml_handler.Loader, yaml.SafeLoader):
        yaml_handler.Loader = Loader
