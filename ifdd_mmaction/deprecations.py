"""Former names, and what each is called now: they keep working, with a warning.

``docs/migrating.md`` lists all of them for users.
"""

from __future__ import annotations

import logging
import os
import warnings
from collections.abc import Callable, Mapping
from contextlib import suppress
from copy import deepcopy
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

from mmengine.logging import print_log

from .errors import InputError

#: Former full name of what was renamed or moved, and its full name now.
NAMES = {
    f'ifdd_mmaction.{former}': f'ifdd_mmaction.{now}'
    for former, now in {
        'datasets.prepare.Protocol': 'datasets.prepare.EvaluationProtocol',
        'datasets.prepare.summarise': 'datasets.prepare.summarize',
        'datasets.storage.FrameFolder': 'datasets.storage.FolderClipSource',
        'datasets.storage.PackedClip': 'datasets.storage.PackedClipSource',
        'datasets.storage.VideoFile': 'datasets.storage.VideoClipSource',
        'models.ClipDataPreprocessor': 'datasets.transforms.ClipDataPreprocessor',
        'models.necks.splits.IntervalSplit': 'models.necks.IntervalSplit',
        'models.necks.splits.SplitIndexes': 'models.necks.SplitIndexes',
        'models.necks.splits.TemporalSplit': 'models.necks.TemporalSplit',
        'models.necks.splits.TopKSplit': 'models.necks.TopKSplit',
        'models.necks.splits.WeightingSplit': 'models.necks.WeightingSplit',
        'models.necks.splits.frame_tokens': 'models.necks.temporal_split.frame_tokens',
        'models.necks.splits.pad_to_even': 'models.necks.temporal_split.pad_to_even',
        'visualization.RunError': 'visualization.WorkDirError',
    }.items()
}

#: Former methods of classes, and those that take their place.
METHODS = {'VideoResult.emotion': 'VideoResult.expression'}

#: Former names of files that tools write, and their names now.
FILES = {'emotions.csv': 'expressions.csv', 'emotions.json': 'expressions.json'}

#: The former argument ``mode`` of ISSM, and the registered name of each split.
SPLIT_OF_MODE = {
    'interpolation': 'ISSM',
    'interval': 'IntervalSplit',
    'topk': 'TopKSplit',
    'weighting': 'WeightingSplit',
}


def module_getattr(module: str) -> Callable[[str], Any]:
    """Return the ``__getattr__`` of a module, which finds its former names.

    Args:
        module: Full name of the module.
    """

    def find(name: str) -> Any:
        old = f'{module}.{name}'
        if old not in NAMES:
            raise AttributeError(f'module {module!r} has no attribute {name!r}')
        place, _, new = NAMES[old].rpartition('.')
        warnings.warn(f'{old} is now {NAMES[old]}', DeprecationWarning, stacklevel=2)
        return getattr(import_module(place), new)

    return find


def former_module(name: str) -> ModuleType:
    """Return a module that is gone, with its former names, for ``sys.modules``."""
    module = ModuleType(name, 'Former names, see ifdd_mmaction.deprecations.')
    module.__getattr__ = module_getattr(name)  # type: ignore[method-assign]
    return module


def warn_of_method(former: str) -> None:
    """Warn whoever calls the caller, a method of :data:`METHODS`."""
    said = f'{former} is now {METHODS[former]}'
    warnings.warn(said, DeprecationWarning, stacklevel=3)


def link_former_files(folder: str | os.PathLike) -> None:
    """Link the former names of files in a folder to those that are there now.

    Where links are not possible there are none: nothing is written twice.

    Args:
        folder: What a tool has written its results to.
    """
    for former, now in FILES.items():
        link = Path(folder, former)
        if link.with_name(now).is_file():
            # A file of an earlier run would be taken for the result of this one.
            link.unlink(missing_ok=True)
            with suppress(OSError):
                link.symlink_to(now)


def current_split(config: Mapping[str, Any]) -> dict[str, Any]:
    """Return the config of a neck's split with ``ISSM(mode=...)`` under its own name.

    Args:
        config: Config of a split, ISSM unless it has a ``type``; it is left as it is.

    Raises:
        InputError: If the mode is not known.
    """
    config = dict(config)
    if config.get('type', 'ISSM') != 'ISSM' or 'mode' not in config:
        return config
    mode = config.pop('mode')
    if mode not in SPLIT_OF_MODE:
        known = ', '.join(SPLIT_OF_MODE.values())
        raise InputError(
            f"neck.split=dict(type='ISSM', mode={mode!r}): no such split. Set type to "
            f'one of {known}, and remove mode.'
        )
    config['type'] = SPLIT_OF_MODE[mode]
    said = (
        f"neck.split=dict(type='ISSM', mode={mode!r}) is now "
        f'neck.split=dict(type={config["type"]!r})'
    )
    warnings.warn(said, DeprecationWarning, stacklevel=2)
    # Python shows that warning to programmers; who has a config reads the log.
    print_log(said, logger='current', level=logging.WARNING)
    return config


def former_settings(config: Mapping[str, Any]) -> dict[str, Any]:
    """Return a whole config with its split written as ``ISSM(mode=...)``.

    Runs that were begun with that config are recognized by it.

    Args:
        config: What the file and its bases say; it is left as it is.
    """
    config = dict(deepcopy(config))
    neck = (config.get('model') or {}).get('neck') or {}
    split = neck.get('split') or {}
    modes = {name: mode for mode, name in SPLIT_OF_MODE.items()}
    if split.get('type') in modes:
        split.update(type='ISSM', mode=modes[split['type']])
    return config
