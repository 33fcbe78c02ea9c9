"""Models and labels of any dataset, its classes named or not."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from mmaction.registry import DATASETS
from mmengine.dataset import BaseDataset

from ..errors import InputError
from .models import read_config
from .trained_model import TrainedModel


def load_numbered(
    config: str | Path,
    checkpoint: str | Path,
    cfg_options: Mapping[str, Any] | None = None,
    **options: Any,
) -> TrainedModel:
    """Build a model; classes without names, as in stock datasets, are numbers.

    Args:
        config: Config file, or name of a model of the zoo.
        checkpoint: File of the weights.
        cfg_options: Values to change in the config.
        options: Device, split, fold and data root; see :class:`TrainedModel`.
    """
    cfg = read_config(config, cfg_options)
    dataset = (cfg.get('test_dataloader') or {}).get('dataset') or {}
    kind = DATASETS.get(dataset['type']) if 'type' in dataset else None
    named = getattr(kind, 'METAINFO', {}).get('classes')
    if not named and not (dataset.get('metainfo') or {}).get('classes'):
        head = cfg.model.get('cls_head') or {}
        numbers = [str(i) for i in range(head.get('num_classes', 0))]
        dataset['metainfo'] = dict(dataset.get('metainfo') or {}, classes=numbers)
    trained = TrainedModel(cfg, checkpoint, **options)
    fold = trained.loader.dataset.get('fold')
    own = trained.model.dataset_meta.get('fold', fold)
    if own != fold:
        print(
            f'warning: {checkpoint} was trained on fold {own}; clips of the test split '
            f'of fold {fold} may not be new to it.',
            file=sys.stderr,
        )
    return trained


def clip_classes(
    trained: TrainedModel, dataset: BaseDataset, clips: Sequence[str]
) -> list[int]:
    """Return the class of each clip among those of the model.

    Args:
        trained: The model.
        dataset: Its dataset, with one label for each clip.
        clips: Names of the clips, ``N``.

    Raises:
        InputError: If a clip has several labels, or one that is no class.
    """
    order = trained.label_order(dataset)
    labels = []
    for i, clip in enumerate(clips):
        label = np.array(dataset.get_data_info(i).get('label', -1)).reshape(-1)
        if label.shape != (1,) or not 0 <= label[0] < len(order):
            raise InputError(
                f'clip {clip} has label {label.tolist()}: each clip must have one of '
                f'the {len(order)} classes'
            )
        labels.append(order[int(label[0])])
    return labels
