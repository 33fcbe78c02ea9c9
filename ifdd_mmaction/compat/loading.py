"""Corrections of loading checkpoints and YAML: no code is run, weights must match."""

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
from ..weights import (
    find_state,
    load_all,
    load_start,
    strip_prefixes,
    stripped_message,
)


def allow_checkpoint_globals() -> None:
    """Let MMEngine's checkpoints load with ``weights_only=True`` (mmengine#1655).

    It has no effect once MMEngine allows the same classes.
    """
    torch.serialization.add_safe_globals(SAFE_GLOBALS)


def load_weights_only() -> None:
    """Load every checkpoint of MMEngine with ``weights_only=True``.

    MMEngine does not set it. The default is False in ``torch.hub``, and in
    ``torch.load`` before PyTorch 2.6, so that a checkpoint can run code.
    """
    from mmengine.runner import checkpoint

    if checkpoint.torch is not torch:
        return

    # Every loader of that module calls its global `torch.load`. Only that global is
    # replaced: torch.load of other modules stays unchanged.
    view = ModuleType('torch')
    vars(view).update(
        load=read_checkpoint, __getattr__=functools.partial(getattr, torch)
    )
    checkpoint.torch = view
    checkpoint.load_url = _load_url
    # onedl-mmengine: it permits any getattr, and loads without weights_only on failure.
    if hasattr(checkpoint, '_safe_torch_load'):
        checkpoint._safe_torch_load = read_checkpoint


def _load_url(
    url: str,
    model_dir: str | None = None,
    map_location: Any = None,
    progress: bool = True,
) -> Any:
    """Load a checkpoint from a URL, as ``torch.hub.load_state_dict_from_url`` does."""
    folder = Path(model_dir or Path(torch.hub.get_dir(), 'checkpoints'))
    file = folder / PurePosixPath(urlparse(url).path).name
    downloaded = not file.exists()
    if downloaded:
        folder.mkdir(parents=True, exist_ok=True)
        try:
            # Written to a temporary file in the same folder, which is then renamed.
            torch.hub.download_url_to_file(url, str(file), progress=progress)
        except OSError as error:
            raise CheckpointError(f'{url} cannot be downloaded: {error}') from error
    try:
        return read_checkpoint(file, map_location)
    except CheckpointError as error:
        if not downloaded:
            raise
        # torch.hub treats a lost connection as the end of the file.
        file.unlink(missing_ok=True)
        raise CheckpointError(
            f'{error}. It was downloaded from {url} and is removed; try again'
        ) from error


def require_matching_weights() -> None:
    """Raise an error where the weights of a checkpoint do not match the model.

    MMEngine's Runner only logs which tensors do not match and continues with random
    weights (mmdetection#11865, #1151). Here all must match in testing and resuming, and
    at least half of the backbone's in training.
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
            self.logger.warning(stripped_message(filename, stripped))
        # Hooks read checkpoint['state_dict'], also if the file is a state dict only.
        bare = 'state_dict' not in checkpoint
        checkpoint = dict(state_dict=state) if bare else checkpoint
        checkpoint['state_dict'] = state
        position = {'epoch', 'iter'} <= set(checkpoint.get('meta') or ())
        if self._resume and not (position and 'message_hub' in checkpoint):
            raise InputError(
                f'{filename} has weights but no training state to resume from: set '
                'load_from, and remove --resume'
            )
        self.call_hook('after_load_checkpoint', checkpoint=checkpoint)
        loops = (self._val_loop, self._test_loop)
        training = isinstance(self._train_loop, BaseLoop)
        scoring = not training and any(isinstance(loop, BaseLoop) for loop in loops)
        if strict or scoring or self._resume:
            load_all(self.model, checkpoint['state_dict'], filename)
            self.logger.info(f'all weights loaded from {filename}')
        else:
            counts = load_start(self.model, checkpoint['state_dict'], filename)
            self.logger.info(f'weights to start from: {counts}')
        self._has_loaded = True
        return checkpoint

    Runner.load_checkpoint = load_checkpoint


def load_yaml_safely() -> None:
    """Load YAML with a safe loader: MMEngine's loader creates any Python object.

    Tuples are still allowed: MMEngine writes them when it dumps a config.
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
