"""Look at the data before a run starts."""

from __future__ import annotations

from collections.abc import Sequence

from mmaction.registry import DATASETS
from mmengine.config import Config


def check_datasets(cfg: Config, loaders: Sequence[str]) -> None:
    """Build the datasets of the named loaders of a config once, and drop them.

    The runner would find the same errors, but only after it has made a work dir,
    built the model and hidden the message under its log.

    Raises:
        DatasetError: What the first bad dataset found; see :class:`DFERDataset`.
    """
    checked: list[dict] = []
    for loader in loaders:
        dataset = (cfg.get(loader) or {}).get('dataset')
        if isinstance(dataset, dict) and dataset not in checked:
            checked.append(dataset)
            DATASETS.build(dataset)
