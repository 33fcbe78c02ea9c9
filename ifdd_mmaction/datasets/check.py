"""Look at the data before a run starts."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

from mmaction.registry import DATASETS
from mmengine.config import Config

from .class_check import check_batches, check_classes


def check_datasets(cfg: Config, loaders: Sequence[str]) -> None:
    """Build the datasets of the named loaders of a config once, and drop them.

    Their classes are compared with those of the model, and their clips with a batch.

    The runner would find the same errors, but only after it has made a work dir,
    built the model and hidden the message under its log.

    Raises:
        DatasetError: What the first bad dataset found (see :class:`DFERDataset`), or
            :func:`check_classes`, or :func:`check_batches`.
    """
    checked: list[dict] = []
    built: dict[str, Any] = {}
    for loader in loaders:
        dataset = (cfg.get(loader) or {}).get('dataset')
        if isinstance(dataset, dict) and dataset not in checked:
            checked.append(dataset)
            built[loader] = DATASETS.build(dataset)
    check_classes(cfg.get('model') or {}, built)
    for loader, dataset in built.items():
        check_batches(loader, cfg[loader], len(dataset), _ranks(cfg))


def _ranks(cfg: Config) -> int:
    variable = dict(pytorch='WORLD_SIZE', slurm='SLURM_NTASKS')
    name = variable.get(cfg.get('launcher', 'none'), '')
    return int(os.environ.get(name) or 1)
