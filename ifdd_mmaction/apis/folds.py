"""Train and test every fold: what ``tools/kfold.py`` calls."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from mmengine.config import Config
from mmengine.registry import init_default_scope

from ..cli import cfg_option_words, parse_cfg_options
from ..datasets import DatasetError, check_datasets, set_fold
from ..datasets.folds import LOADERS, folds_of, innermost
from ..engine import load_config
from ..engine.runs import Run, RunError, claim, execute_all
from ..errors import InputError
from ..evaluation import fold_table, write_table
from .group_folds import group_folds
from .models import read_config
from .zoo import zoo_root


def kfold(
    config: str | Path,
    *,
    folds: Sequence[int] | None = None,
    work_dir: str | Path | None = None,
    seed: int | None = None,
    gpus: int = 1,
    out: str | Path | None = None,
    base: str | None = None,
    groups: str | Path | None = None,
    num_folds: int | None = None,
    cfg_options: Mapping[str, Any] | Sequence[str] = (),
) -> dict[str, Any]:
    """Train and test every fold, and write one table.

    Fold N is in ``work_dir/foldN``. A fold that is finished is not run again and an
    interrupted one is resumed. Each runs in a process of its own, whose output is in
    ``work_dir/foldN/log.txt``.

    Args:
        config: A config file.
        folds: Which ones; all of the dataset by default.
        work_dir: ``work_dirs/<config>`` by default.
        seed: Random seed of every fold; that of the config by default.
        gpus: GPUs of this machine for each fold.
        out: The table is ``OUT.md`` and ``OUT.json``; ``work_dir/folds`` by default.
        base: Base of a file that leaves it open; see ``engine.load_config``.
        groups: CSV file of ``clip,group``, such as the person or film of each clip.
            The clips are then divided again, so that no two folds share a group; the
            lists are in ``work_dir/groups``, with a report of the groups that the
            official folds share.
        num_folds: Number of these folds; that of the dataset by default, or 5.
        cfg_options: Values to set in the config, by dotted name, or words
            ``KEY=VALUE``.

    Returns:
        What ``OUT.json`` holds: ``rows``, a fold each with ``last`` and ``best``, and
        their ``mean``; and ``failed``, the errors of the other folds by their number.
        Without any row no table is written.

    Raises:
        InputError: If the config or an option cannot be used.
        DatasetError: If the data of a fold or the groups are missing or wrong; none
            has run then.
        RunError: If a folder holds a run with other settings.

    Example:
        >>> from ifdd_mmaction.apis import get_config
        >>> config = get_config('ifdd_vit_dfew').filename
        >>> kfold(config, folds=[9])  # doctest: +ELLIPSIS
        Traceback (most recent call last):
        ...
        ifdd_mmaction.datasets...DatasetError: fold 9: DFEWDataset has folds 1, 2...
    """
    config = Path(config)
    work_dir = Path(work_dir or Path('work_dirs') / config.stem)
    options = cfg_option_words(cfg_options)
    options = with_groups(config, groups, work_dir, num_folds, base, options)
    runs = [
        Run(
            tools=zoo_root() / 'tools',
            config=config,
            folder=work_dir / f'fold{fold}',
            base=base,
            fold=fold,
            seed=seed,
            options=options,
            gpus=gpus,
        )
        for fold in choose_folds(config, folds, base, options)
    ]
    claim(runs)
    print(f'{len(runs)} folds, logs in {work_dir}/fold*/log.txt', flush=True)
    rows: list[dict[str, Any]] = []
    failed: dict[int, str] = {}
    begin = time.monotonic()
    for count, (run, result) in enumerate(execute_all(runs), start=1):
        if isinstance(result, RunError):
            said = f'FAILED: {result}'
            failed[int(run.fold or 0)] = str(result)
        else:
            rows.append(dict(fold=run.fold, **result))
            said = ', '.join(_describe(k, scores) for k, scores in result.items())
        minutes = (time.monotonic() - begin) / 60
        where = f'[{count}/{len(runs)}, {minutes:.1f} min]'
        print(f'{where} fold {run.fold}: {said}', flush=True)
    if not rows:
        return dict(rows=rows, failed=failed)
    markdown, record = fold_table(rows)
    record |= dict(config=str(config), seed=seed, cfg_options=options)
    if groups is not None:
        record['groups'] = str(groups)
    out = out or work_dir / 'folds'
    write_table(out, markdown, record)
    print(f'\n{markdown}\n\nwritten to {out}.md and {out}.json')
    return dict(record, failed=failed)


def with_groups(
    config: str | Path,
    groups: str | Path | None,
    work_dir: str | Path,
    num_folds: int | None = None,
    base: str | None = None,
    options: Sequence[str] = (),
) -> list[str]:
    """Return the options, and with groups those for folds that share none of them.

    Args:
        config: A config file.
        groups: As of :func:`kfold`; their lists are written.
        work_dir: Folder of the folds.
        num_folds: As of :func:`kfold`.
        base: As of :func:`kfold`.
        options: Words ``KEY=VALUE``.

    Raises:
        InputError: If the config, or a dataset of it, cannot be used.
        DatasetError: If the data or the groups are missing or wrong.
    """
    if groups is None:
        return list(options)
    cfg = _read(config, base, options)
    added = group_folds(cfg, groups, Path(work_dir) / 'groups', num_folds)
    return [*options, *cfg_option_words(added)]


def choose_folds(
    config: str | Path,
    wanted: Sequence[int] | None = None,
    base: str | None = None,
    options: Sequence[str] = (),
) -> list[int]:
    """Return the folds of a config, all of which have data.

    Args:
        config: A config file.
        wanted: Some of them; all that the dataset has by default.
        base: As of :func:`kfold`.
        options: Words ``KEY=VALUE``.

    Raises:
        InputError: If the config or an option cannot be used.
        DatasetError: If the config has no folds, or the data of one is not there.
    """
    cfg = _read(config, base, options)
    datasets = [d for name in LOADERS for d in innermost(cfg.get(name) or {})]
    known = [own for d in datasets if (own := folds_of(d))]
    folds = list(wanted or (known[0] if known else ()))
    if not folds:
        raise DatasetError(f'{config}: its datasets name no folds: give --folds')
    for fold in folds:
        set_fold(cfg, fold)
        # A wrong fold 5 should not wait for the end of fold 4.
        check_datasets(cfg, LOADERS)
    return folds


def _read(config: str | Path, base: str | None, options: Sequence[str]) -> Config:
    """Read a config as training will."""
    values = parse_cfg_options(options)
    if base is None:
        cfg = read_config(config, values)
    else:
        try:
            cfg = read_config(load_config(config, base), values)
        except FileNotFoundError as error:
            raise InputError(f'{config} cannot be used: {error}') from error
    init_default_scope(cfg.get('default_scope', 'mmaction'))
    return cfg


def _describe(name: str, scores: Mapping[str, Any]) -> str:
    war, uar = (100 * scores[k] for k in ('WAR', 'UAR'))
    return f'{name} (epoch {scores["epoch"]}) WAR {war:.2f} % UAR {uar:.2f} %'
