"""Extraction of the features of all clips of a dataset, which can be resumed."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import os
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from mmaction.models.recognizers import BaseRecognizer
from mmengine.runner import Runner
from torch import Tensor

from ..analysis import disentangle
from ..errors import InputError
from ..fileio import write_atomic
from ..models.necks import IFDDNeck
from ..progress import track
from .trained_model import TrainedModel

#: Features: the input of the head, and the pooled intermediate tensors of the neck.
FEATURES = ('vector', 'x', 'x_s', 'x_d', 'y_s', 'y_d')
INDEX, SETTINGS, PARTS = 'index.csv', 'features.json', 'parts'
COLUMNS = ('row', 'clip', 'label', 'class', 'error')


def extract_features(
    trained: TrainedModel,
    folder: str | os.PathLike,
    names: Sequence[str] = ('vector',),
    part_size: int = 256,
) -> Path:
    """Write the features of every clip of the test loader.

    ``<name>.npy`` is ``(N, C)`` float32, one row per clip; ``index.csv`` lists the
    clips. Parts are stored in ``parts/`` until all are complete, so an interrupted
    extraction continues; a complete one is not repeated. Views of a clip are averaged.
    A clip that cannot be read (``bad_clips='count_wrong'``) has a row of NaN.

    Args:
        trained: Model and data.
        folder: Output folder, for one model and one set of clips.
        names: Names from :data:`FEATURES`; all except ``'vector'`` need an
            :class:`IFDDNeck`.
        part_size: Clips per part: at most so many are repeated after an interruption.

    Raises:
        InputError: If the folder has features of another model or other clips, or the
            model lacks a feature.

    Example:
        >>> from ifdd_mmaction.apis import TrainedModel, get_checkpoint
        >>> weights = get_checkpoint('ifdd_vit_sample')
        >>> trained = TrainedModel('ifdd_vit_sample', weights)
        >>> folder = extract_features(trained, 'features', ('vector', 'y_s'))
        >>> sorted(path.name for path in folder.glob('*.npy'))
        ['vector.npy', 'y_s.npy']
    """
    folder = Path(folder)
    dataset = trained.dataset()
    settings = _settings(trained, dataset, names)
    if _is_finished(folder, settings):
        print(f'{folder} already has the features of {len(dataset)} clips')
        return folder
    _check_names(trained.model, names)
    parts = folder / PARTS
    write_atomic(parts / SETTINGS, json.dumps(settings, indent=1).encode())
    total, done = len(dataset), sum(map(_part_length, _parts(parts)))
    classes = [str(name) for name in dataset.metainfo['classes']]
    if done:
        print(f'{done} of {total} clips are already done')
    loader = dict(trained.loader)
    dataset.get_subset_(list(range(done, total)))
    loader['dataset'] = dataset
    rows: list[dict[str, Any]] = []
    batches = Runner.build_dataloader(loader) if done < total else ()
    for batch in track(batches, len(batches), 'Batches of clips'):
        rows += _extract(trained.model, batch, names)
        if len(rows) >= part_size:
            done += _save_part(parts, done, rows)
            rows = []
    if rows:
        _save_part(parts, done, rows)
    _join(folder, names, classes, settings)
    return folder


def read_features(
    folder: str | os.PathLike, name: str = 'vector'
) -> tuple[np.ndarray, list[dict[str, str]]]:
    """Read files of :func:`extract_features`: features ``(N, C)`` and the index.

    Raises:
        InputError: If the files are missing or do not match.

    Example:
        >>> from ifdd_mmaction.apis import TrainedModel, extract_features
        >>> from ifdd_mmaction.apis import get_checkpoint, read_features
        >>> weights = get_checkpoint('ifdd_vit_sample')
        >>> trained = TrainedModel('ifdd_vit_sample', weights)
        >>> features, clips = read_features(extract_features(trained, 'vectors'))
        >>> features.shape, clips[0]['label']
        ((21, 64), '0')
    """
    array, index = Path(folder) / f'{name}.npy', Path(folder) / INDEX
    for path in (array, index):
        if not path.is_file():
            raise InputError(
                f'{path} does not exist: create it with tools/extract_features.py'
            )
    features = np.load(array, allow_pickle=False)
    with index.open(newline='', encoding='utf-8') as file:
        rows = list(csv.DictReader(file))
    if len(rows) != len(features):
        raise InputError(
            f'{array} has {len(features)} rows, {index} has {len(rows)}: extract the '
            'features again'
        )
    return features, rows


@torch.no_grad()
def _extract(
    model: BaseRecognizer, batch: dict, names: Sequence[str]
) -> list[dict[str, Any]]:
    """Return name, label and features of each clip of a batch."""
    data = model.data_preprocessor(batch, training=False)
    inputs, samples = data['inputs'], data['data_samples']
    neck = getattr(model, 'neck', None)
    if isinstance(neck, IFDDNeck) and neck.split is not None:
        found: Mapping[str, Any] = disentangle(model, inputs)._asdict()
    else:
        feature = model.extract_feat(inputs)[0]
        found = dict(vector=feature, x=feature)
    features = {name: _pool(found[name], len(samples)) for name in names}
    rows = []
    for i, sample in enumerate(samples):
        bad = sample.get('bad_clips')
        row: dict[str, Any] = {k: v[i].numpy() for k, v in features.items()}
        if bad:  # the features are of a substitute clip
            row = {k: np.full_like(v, np.nan) for k, v in row.items()}
        row.update(
            clip=str(sample.video_id),
            label=int(sample.gt_label),
            error=str(bad[0][1]) if bad else '',
        )
        rows.append(row)
    return rows


def _pool(feature: Any, clips: int) -> Tensor:
    """Average ``(clips * views, C, ...)`` over all dimensions except clips and C."""
    if not isinstance(feature, Tensor):
        raise InputError(
            f'the model returns a {type(feature).__name__} of features instead of one '
            'tensor: add a neck'
        )
    vector = feature.flatten(2).mean(2) if feature.dim() > 2 else feature
    return vector.view(clips, -1, vector.shape[1]).mean(1).float().cpu()


def _check_names(model: BaseRecognizer, names: Sequence[str]) -> None:
    neck = getattr(model, 'neck', None)
    known: Sequence[str] = ('vector',)
    if isinstance(neck, IFDDNeck):
        known = ('vector', 'x') if neck.split is None else FEATURES
    if missing := [name for name in names if name not in known]:
        raise InputError(
            f'the model has no feature {", ".join(missing)}: use {", ".join(known)}'
        )


def _settings(trained: TrainedModel, dataset: Any, names: Sequence[str]) -> dict:
    """Return everything that determines the features."""
    digest = hashlib.sha256(trained.checkpoint.read_bytes()).hexdigest()
    clips = '\n'.join(
        str(dataset.get_data_info(i)['video_id']) for i in range(len(dataset))
    )
    decoder = dataset.metainfo.get('decoder')
    return dict(
        checkpoint=str(trained.checkpoint),
        sha256=digest,
        features=list(names),
        clips=len(dataset),
        clips_sha256=hashlib.sha256(clips.encode()).hexdigest(),
        data_root=str(trained.loader.dataset.get('data_root', '')),
        split=trained.loader.dataset.get('split'),
        fold=trained.loader.dataset.get('fold'),
        pipeline=hashlib.sha256(
            repr(trained.loader.dataset.get('pipeline')).encode()
        ).hexdigest(),
        **({'decoder': decoder} if decoder else {}),
    )


def _is_finished(folder: Path, settings: dict) -> bool:
    """Return whether a folder has these features; raise an error if it has others."""
    for path in (folder / SETTINGS, folder / PARTS / SETTINGS):
        if not path.is_file():
            continue
        found = json.loads(path.read_bytes())
        # The path of the checkpoint may change; its hash is compared. All decoders
        # give the same frames.
        fixed = settings.keys() - {'checkpoint', 'decoder'}
        differing = [k for k in settings if k in fixed and found.get(k) != settings[k]]
        if differing:
            raise InputError(
                f'{folder} has features of another run, '
                + ', '.join(f'{k} {found.get(k)}, not {settings[k]}' for k in differing)
                + ': use another --out, or remove that folder'
            )
        if path.parent == folder:
            return True
    return False


def _parts(folder: Path) -> list[Path]:
    return sorted(folder.glob('[0-9]*.npz'))


def _part_length(path: Path) -> int:
    with np.load(path, allow_pickle=False) as part:
        return len(part['label'])


def _save_part(folder: Path, start: int, rows: list[dict[str, Any]]) -> int:
    """Write rows as one part; return the number of rows."""
    data = io.BytesIO()
    columns: dict[str, Any] = {k: np.array([row[k] for row in rows]) for k in rows[0]}
    np.savez(data, **columns)
    write_atomic(folder / f'{start:09d}.npz', data.getvalue())
    return len(rows)


def _join(
    folder: Path, names: Sequence[str], classes: Sequence[str], settings: dict
) -> None:
    """Join the parts; the settings are written last and mark completion."""
    paths = _parts(folder / PARTS)
    for name in names:
        rows = []
        for path in paths:
            with np.load(path, allow_pickle=False) as part:
                rows.append(part[name].astype(np.float32))
        data = io.BytesIO()
        np.save(data, np.concatenate(rows))
        write_atomic(folder / f'{name}.npy', data.getvalue())
    table = io.StringIO()
    writer = csv.writer(table, lineterminator='\n')
    writer.writerow(COLUMNS)
    number = 0
    for path in paths:
        with np.load(path, allow_pickle=False) as part:
            columns = [part[k].tolist() for k in ('clip', 'label', 'error')]
        for clip, label, error in zip(*columns, strict=True):
            writer.writerow([number, clip, label, classes[label], error])
            number += 1
    write_atomic(folder / INDEX, table.getvalue().encode())
    write_atomic(folder / SETTINGS, json.dumps(settings, indent=1).encode())
    shutil.rmtree(folder / PARTS)
