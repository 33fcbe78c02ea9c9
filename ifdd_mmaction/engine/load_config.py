"""Reading a config whose file may leave its base open."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from mmengine.config import Config

from ..errors import InputError

#: Stands for the base in such a file, ``../{{$IFDD_BASE:ifdd_vit_dfew}}.py``: MMEngine
#: substitutes variables of the environment and nothing else.
BASE = 'IFDD_BASE'


def load_config(path: str | Path, base: str | None = None, **kwargs: Any) -> Config:
    """Read a config file.

    Args:
        path: The file.
        base: Name of the config that ``configs/ablation/*`` and the fragments of
            ``configs/_base_`` change, without ``.py``; ``$IFDD_BASE``, or else
            ``ifdd_vit_dfew`` by default.
        kwargs: Of ``Config.fromfile``.

    Raises:
        InputError: If a base is given and the file does not leave it open.

    Example:
        >>> from ifdd_mmaction.apis import get_config
        >>> leaf = get_config('ifdd_vit_dfew').filename
        >>> load_config(leaf, base='ifdd_cnn_dfew')  # doctest: +ELLIPSIS
        Traceback (most recent call last):
        ...
        ifdd_mmaction.errors.InputError: ...ifdd_vit_dfew.py has a base of its own...
    """
    if base is None:
        return Config.fromfile(path, **kwargs)
    before = os.environ.get(BASE)
    os.environ[BASE] = base
    try:
        cfg = Config.fromfile(path, **kwargs)
    finally:
        if before is None:
            del os.environ[BASE]
        else:
            os.environ[BASE] = before
    if f'${BASE}' not in cfg.text:  # of the file and of all that it inherits from
        raise InputError(
            f'{path} has a base of its own: a base is chosen for the files of '
            'configs/ablation and configs/_base_'
        )
    return cfg
