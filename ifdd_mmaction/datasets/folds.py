"""Set the fold of all datasets of a config."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from mmaction.registry import DATASETS
from mmengine.config import Config

from .errors import DatasetError
from .label_list import listed_folds

LOADERS = ('train_dataloader', 'val_dataloader', 'test_dataloader')


def set_fold(cfg: Config, fold: int, loaders: Sequence[str] = LOADERS) -> None:
    """Set ``fold`` of the datasets of the named loaders, also inside wrappers.

    The variable ``fold`` of the config, if there is one, is set too.

    Raises:
        DatasetError: If a dataset has no folds or not this one; nothing is set then.

    Example:
        >>> from mmengine.config import Config
        >>> from ifdd_mmaction.datasets import set_fold
        >>> dataset = dict(type='DFEWDataset', data_root='data/dfew')
        >>> cfg = Config(dict(train_dataloader=dict(dataset=dataset)))
        >>> set_fold(cfg, 3, ['train_dataloader'])
        >>> cfg.train_dataloader.dataset.fold
        3
    """
    datasets = [d for name in loaders for d in innermost(cfg.get(name) or {})]
    if not datasets:
        raise DatasetError(f'no dataset in {", ".join(loaders)} to set the fold of')
    for dataset in datasets:
        folds = folds_of(dataset)
        if folds and fold not in folds:
            name = dataset['type']
            listed = ', '.join(map(str, folds))
            raise DatasetError(f'fold {fold}: {name} has folds {listed}')
    for dataset in datasets:
        dataset['fold'] = fold
    if 'fold' in cfg:
        cfg.fold = fold


def innermost(settings: dict) -> Iterator[dict]:
    """Yield the settings of the datasets in those of a loader or of a wrapper.

    Wrappers hold theirs as ``dataset`` (``RepeatDataset``, ``ClassBalancedDataset``)
    or as a list ``datasets`` (``ConcatDataset``).
    """
    return (dataset for _, dataset in located(settings, ''))


def located(settings: dict, place: str) -> Iterator[tuple[str, dict]]:
    """Yield the innermost datasets as :func:`innermost`, each after its dotted name.

    Args:
        settings: Settings of a loader or of a wrapper.
        place: Dotted name of these settings.
    """
    inner = {'dataset': settings.get('dataset')}
    inner |= {f'datasets.{i}': d for i, d in enumerate(settings.get('datasets', []))}
    wrapped = {name: d for name, d in inner.items() if isinstance(d, dict)}
    if not wrapped and 'type' in settings:
        yield place, settings
    for name, dataset in wrapped.items():
        yield from located(dataset, f'{place}.{name}')


def folds_of(dataset: dict) -> tuple[int, ...]:
    """Return the folds of an innermost dataset: ``FOLDS`` of its class, or its lists.

    Empty for other classes without ``FOLDS`` whose settings have a ``fold``: they check
    it themselves.

    Raises:
        DatasetError: If the dataset has no folds, or its folder of lists has none.
    """
    if dataset.get('lists'):
        return listed_folds(Path(dataset.get('data_root', '.'), dataset['lists']))
    kind = dataset['type']
    folds = getattr(DATASETS.get(kind) if isinstance(kind, str) else kind, 'FOLDS', ())
    if len(folds) < 2 and (folds or 'fold' not in dataset):
        raise DatasetError(f'{kind} has no folds: remove the option --fold')
    return tuple(folds)
