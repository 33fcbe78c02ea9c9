"""The entry of a model in the metafile, and the scores of its folds."""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml
from mmengine.config import Config

from ifdd_mmaction.fileio import write_atomic

from .agreement import ROOT, SCORES
from .card import DATA
from .error import PublishError


def read_folds(work_dir: Path) -> dict[int, dict[str, float]]:
    """Return the scores of the last epoch of each fold that ``tools/kfold.py`` ran."""
    records = [json.loads(p.read_text()) for p in work_dir.glob('fold*/scores.json')]
    if not records:
        raise PublishError(f'no fold*/scores.json in {work_dir}')
    return {r['fold']: r['scores']['last'] for r in sorted(records, key=_fold)}


def _fold(record: Mapping[str, Any]) -> int:
    return record['fold']


def metafile_entry(
    args: argparse.Namespace,
    cfg: Config,
    meta: Mapping[str, Any],
    parameters: int,
    file: str,
    sha256: str,
) -> dict[str, Any]:
    """Return an entry of the metafile, in MMAction2's fields and with a ``SHA256``."""
    base = (args.url or 'zoo').rstrip('/')
    fold = meta['dataset_meta']['fold']
    return {
        'Name': args.name,
        'Config': args.config.resolve().relative_to(ROOT).as_posix(),
        'In Collection': 'IFDD',
        'Metadata': {
            'Architecture': cfg.model.backbone.type,
            'Batch Size': cfg.train_dataloader.batch_size,
            'Epochs': meta['epoch'],
            'Parameters': parameters,
            'Training Data': DATA[args.data].name,
            **({} if fold is None else {'Fold': fold}),
        },
        'Modality': 'RGB',
        'Results': [
            {
                'Task': 'Dynamic Facial Expression Recognition',
                'Dataset': DATA[args.data].name,
                'Metrics': {
                    name: round(100 * meta['metrics'][name], 2) for name in SCORES
                },
            }
        ],
        'Training Log': f'{base}/{Path(file).stem}.json',
        'Weights': f'{base}/{file}',
        'SHA256': sha256,
    }


def add_entry(metafile: Path, entry: dict[str, Any]) -> None:
    """Put an entry into a metafile, in place of an older one of its name."""
    content = yaml.safe_load(metafile.read_text())
    others = [e for e in content.get('Models') or [] if e['Name'] != entry['Name']]
    content['Models'] = sorted([*others, entry], key=lambda e: e['Name'])
    text = yaml.safe_dump(content, sort_keys=False, allow_unicode=True)
    write_atomic(metafile, text.encode())
