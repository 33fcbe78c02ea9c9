"""Fit the temperature of a checkpoint: what ``tools/calibrate.py`` calls."""

from __future__ import annotations

import copy
import io
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from mmaction.registry import DATASETS
from mmengine.config import Config
from mmengine.dataset import BaseDataset
from mmengine.registry import init_default_scope
from mmengine.runner import Runner
from safetensors.torch import save as to_safetensors

from ..analysis import clip_name
from ..checkpoints import read_checkpoint
from ..datasets import set_fold
from ..datasets.folds import innermost
from ..engine import check_checkpoint
from ..engine.resume.checkpoint_file import CheckpointBackend
from ..engine.temperature_hook import KEY
from ..errors import InputError
from ..evaluation import calibration_scores, fit_temperature, tempered
from ..fileio import write_atomic
from ..progress import track
from ..version import __version__
from ..weights import find_state
from .download import sha256_of
from .models import read_config
from .trained_model import TrainedModel


def calibrate(
    config: str | Path | Config,
    checkpoint: str | Path,
    *,
    out: str | Path | None = None,
    fold: int | None = None,
    device: str = '',
    cfg_options: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Fit a temperature on the validation split, and write it into the checkpoint.

    The clips are those of ``val_dataloader``, none of which training or test may have;
    they go through the test pipeline. The temperature divides the logits of each view
    of a clip, and minimizes the NLL of the averaged prediction. It is metadata
    (``meta.calibration``): weights, and predictions that do not ask for it, stay.

    Args:
        config: A config file, the name of a config in the zoo, or a config.
        checkpoint: File of the weights, ``.pth`` or ``.safetensors``.
        out: Another file to write, of the same format; the checkpoint by default.
        fold: Fold of all datasets; that of the config by default.
        device: PyTorch's name of a device; the best one by default.
        cfg_options: Values to set in the config, by dotted name.

    Returns:
        What is written: ``temperature``, ``clips``, ``views`` of a clip,
        ``average_clips`` of the head, names of ``unread`` clips and
        ``classes_without_clips``, and ``before`` and ``after``: ``ECE``,
        ``classwise_ECE``, ``AURC``, ``Brier`` and ``NLL`` of the validation clips.

    Raises:
        InputError: If the config or the checkpoint cannot be used, the clips are not
            held out, or no temperature minimizes the NLL.
        DatasetError: If data is missing or wrong.
        CheckpointError: If the checkpoint is damaged or would run code.
        OSError: If it cannot be written; it is then as before.

    Example:
        >>> from ifdd_mmaction.apis import calibrate, get_checkpoint
        >>> weights = get_checkpoint('ifdd_vit_sample')
        >>> calibrate('ifdd_vit_sample', weights, out='calibrated.pth')
        Traceback (most recent call last):
        ...
        ifdd_mmaction...InputError: 21 of 21 validation clips are in the test split...
    """
    path = Path(checkpoint)
    target = Path(out or path)
    _check_files(path, target, out is None)
    check_checkpoint(path)
    content = read_checkpoint(path, map_location='cpu')
    cfg = read_config(config, cfg_options)
    init_default_scope(cfg.get('default_scope', 'mmaction'))
    if fold is not None:
        set_fold(cfg, fold)
    validation = copy.deepcopy(cfg)
    validation.test_dataloader = _validation_loader(cfg)
    trained = TrainedModel(validation, path, device)
    dataset = trained.dataset()
    _refuse_known_clips(cfg, dataset)
    logits, labels, unread = _predict(trained, dataset)
    average = getattr(trained.model.cls_head, 'average_clips', None)
    try:
        temperature = fit_temperature(logits, labels, average)
    except ValueError as error:
        raise InputError(f'{path} cannot be calibrated: {error}') from error
    before, after = (
        calibration_scores(tempered(logits, value, average), labels)
        for value in (1.0, temperature)
    )
    absent = np.isnan(before.pop('class_errors'))
    del after['class_errors']
    found = dict(
        temperature=temperature,
        clips=len(labels),
        views=logits.shape[1],
        average_clips=average,
        unread=unread,
        classes_without_clips=[
            name for name, is_absent in zip(trained.classes, absent, strict=True)
            if is_absent
        ],
        before=before,
        after=after,
        ifdd_mmaction=__version__,
    )  # fmt: skip
    write_calibration(target, content, found)
    return found


def _check_files(path: Path, target: Path, in_place: bool) -> None:
    if not path.is_file():
        raise InputError(f'no checkpoint {path}')
    if (path.suffix == '.safetensors') != (target.suffix == '.safetensors'):
        raise InputError(f'{target}: must have the suffix {path.suffix}')
    digest = re.search(r'-([0-9a-f]{8})\.', path.name)
    if in_place and digest and sha256_of(path).startswith(digest[1]):
        raise InputError(
            f'the name of {path} has the hash of its content: give another file as out'
        )


def _validation_loader(cfg: Config) -> Any:
    """Return the loader of the validation clips, with the test pipeline."""
    loader = copy.deepcopy(cfg.get('val_dataloader'))
    if not loader or not loader.get('dataset'):
        raise InputError(f'{cfg.filename} has no val_dataloader with a dataset')
    tested = [d for d in _settings(cfg, 'test_dataloader') if 'pipeline' in d]
    if tested:
        for dataset in innermost(loader):
            dataset['pipeline'] = copy.deepcopy(tested[0]['pipeline'])
    return loader


def _settings(cfg: Config, loader: str) -> list[dict]:
    return list(innermost(cfg.get(loader) or {}))


def _refuse_known_clips(cfg: Config, dataset: BaseDataset) -> None:
    """Refuse validation clips that training or test has.

    Raises:
        InputError: If there are some.
    """
    own = _names(dataset)
    roots = [_root(settings) for settings in _settings(cfg, 'val_dataloader')]
    for part in ('test', 'train'):
        known: set[str] = set()
        for settings in _settings(cfg, f'{part}_dataloader'):
            # Other folders have other clips, whatever their names.
            if _root(settings) in roots:
                other = DATASETS.build({**settings, 'pipeline': []})
                known |= _names(other)
        if both := sorted(own & known):
            raise InputError(
                f'{len(both)} of {len(own)} validation clips are in the {part} split, '
                f'such as {both[0]}: set val_dataloader.dataset to clips that neither '
                'training nor test has (`ifdd prepare DATASET ROOT --val-split 0.1` '
                'makes lists)'
            )


def _root(settings: Mapping[str, Any]) -> Path:
    return Path(settings.get('data_root') or '.').resolve()


def _names(dataset: BaseDataset) -> set[str]:
    return {clip_name(dataset.get_data_info(i), i) for i in range(len(dataset))}


@torch.no_grad()
def _predict(
    trained: TrainedModel, dataset: BaseDataset
) -> tuple[np.ndarray, np.ndarray, list[str]]:
    """Return logits ``(N, M, K)``, labels ``(N,)`` and the names of unread clips."""
    order = trained.label_order(dataset)
    loader = Runner.build_dataloader({**trained.loader, 'dataset': dataset})
    logits, labels, unread = [], [], []
    head = trained.model.cls_head
    average, head.average_clips = head.average_clips, None  # the logits of each view
    try:
        for batch in track(loader, len(loader), 'Batches of clips'):
            for sample in trained.model.test_step(batch):
                if bad := sample.get('bad_clips'):
                    unread.append(str(bad[0][0]))
                    continue
                labels.append(order[int(sample.gt_label)])
                logits.append(sample.pred_score.float().cpu().numpy())
    finally:
        head.average_clips = average
    if not logits or len({each.shape for each in logits}) > 1:
        shapes = sorted({each.shape for each in logits})
        raise InputError(
            f'logits of the shapes {shapes} for {len(logits)} clips, {len(unread)} '
            'unread: there must be a clip, and each must have the same number of views'
        )
    return np.stack(logits), np.array(labels), unread


def write_calibration(path: Path, content: Any, found: Mapping[str, Any]) -> None:
    """Write the content of a checkpoint with its temperature, atomically.

    Raises:
        OSError: If it cannot be written; a file of that name is then as before.
    """
    meta = content.get('meta') if 'state_dict' in content else None
    meta = {**(meta or {}), KEY: dict(found)}
    if path.suffix == '.safetensors':
        # One entry: safetensors writes several in any order.
        data = to_safetensors(content['state_dict'], {'meta': json.dumps(meta)})
        write_atomic(path, data)
        return
    if 'state_dict' not in content:  # weights alone
        content = dict(state_dict=find_state(content, str(path)))
    buffer = io.BytesIO()
    torch.save({**content, 'meta': meta}, buffer)
    CheckpointBackend().put(buffer.getvalue(), path)
