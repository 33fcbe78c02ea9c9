"""Set the data root of all datasets of a config."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from pathlib import Path

from mmengine.config import Config

from .errors import DatasetError
from .folds import LOADERS, innermost

#: Metainfo of a dataset that may differ between the data roots of one training: how
#: its frames are stored, not what they show.
STORAGE = ('release', 'storage', 'decoder')


def set_data_root(cfg: Config, data_root: str | Path | Sequence[str | Path]) -> None:
    """Set the data root of all datasets of a config.

    Of several roots the first is that of all loaders; the training loader joins the
    datasets of all of them.

    Raises:
        DatasetError: If there is no root, or a loader has several datasets already.

    Example:
        >>> from mmengine.config import Config
        >>> from ifdd_mmaction.datasets import set_data_root
        >>> dataset = dict(type='DFEWDataset', data_root='data/dfew')
        >>> cfg = Config(dict(train_dataloader=dict(dataset=dataset)))
        >>> set_data_root(cfg, ['data/one', 'data/two'])
        >>> [part.data_root for part in cfg.train_dataloader.dataset.datasets]
        ['data/one', 'data/two']
    """
    roots = [data_root] if isinstance(data_root, str | Path) else list(data_root)
    if not roots:
        raise DatasetError(f'data_root={data_root!r}: name at least one folder')
    for loader in LOADERS:
        found = [
            str(dataset.get('data_root'))
            for dataset in innermost(cfg.get(loader) or {})
        ]
        if len(found) > 1:
            raise DatasetError(
                f'data_root={data_root!r}: {loader} has datasets of '
                f'{", ".join(found)} already: give no data_root, or the config of one '
                'dataset'
            )
        _set_root(cfg.get(loader), roots[0])
    if len(roots) > 1:
        loaders = [copy.deepcopy(cfg.train_dataloader) for _ in roots]
        for loader, root in zip(loaders, roots, strict=True):
            _set_root(loader, root)
        cfg.train_dataloader.dataset = dict(
            type='ConcatDataset',
            datasets=[loader.dataset for loader in loaders],
            ignore_keys=list(STORAGE),
        )


def _set_root(loader: dict | None, root: str | Path) -> None:
    for dataset in innermost(loader or {}):
        dataset['data_root'] = str(root)
