"""Read what a run left in its work dir: scalars, predictions, config, frames."""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from mmaction.registry import DATASETS
from mmengine.config import Config
from mmengine.registry import init_default_scope

from .prediction_strip import ClipPrediction
from .training_curve import is_training, is_validation

#: Frames of a clip that fit into a row.
MAX_FRAMES = 16


class RunError(ValueError):
    """Something is missing in a work dir; the message says what and how to get it."""


def read_scalars(work_dir: str | os.PathLike) -> list[dict[str, Any]]:
    """Return the lines of all ``<timestamp>/vis_data/scalars.json`` as one training.

    A run that was resumed goes on where it was resumed from: what earlier runs logged
    from there on was left behind, and is dropped.

    Example:
        >>> from ifdd_mmaction.fileio import write_atomic
        >>> from ifdd_mmaction.visualization import read_scalars
        >>> line = b'{"epoch": 1, "step": 10, "loss": 1.5}'
        >>> write_atomic('work_dir/20260101_120000/vis_data/scalars.json', line)
        >>> read_scalars('work_dir')
        [{'epoch': 1, 'step': 10, 'loss': 1.5}]
    """
    records: list[dict[str, Any]] = []
    for path in sorted(Path(work_dir).glob('*/vis_data/scalars.json')):
        lines = _read_lines(path)
        begin = min(map(_moment, lines), default=None)
        if begin is not None:
            records = [record for record in records if _moment(record) < begin]
        records += lines
    return records


def _moment(record: Mapping[str, Any]) -> tuple[float, float]:
    """Return what sorts records in time: the epoch, and the iteration in all."""
    if is_training(record):
        return record['epoch'], record['step']
    return record['step'], float('inf')  # validation follows its epoch


def _read_lines(path: Path) -> list[dict[str, Any]]:
    lines = path.read_text(encoding='utf-8').splitlines()
    records = []
    for number, line in enumerate(lines, start=1):
        try:
            record = json.loads(line)
        except ValueError as error:
            # A killed run leaves half of its last line.
            if number == len(lines):
                break
            raise RunError(
                f'{path}:{number}: not JSON ({error}): remove this line'
            ) from error
        if is_training(record) or is_validation(record):
            records.append(record)
    return records


def read_predictions(path: str | os.PathLike) -> dict[str, Any]:
    """Return what :class:`DFERMetric` dumped: ``classes``, ``clips`` and more.

    Raises:
        RunError: If the file is absent or is something else.

    Example:
        >>> from ifdd_mmaction.evaluation import DFERMetric
        >>> from ifdd_mmaction.visualization import read_predictions
        >>> metric = DFERMetric(dump='predictions.json')
        >>> clip = dict(gt_label=torch.tensor([1]), pred_score=torch.tensor([0.2, 0.8]))
        >>> metric.process({}, [clip])
        >>> scores = metric.evaluate(size=1)
        >>> read_predictions('predictions.json')['confusion_matrix']
        [[0, 0], [0, 1]]
    """
    path = Path(path)
    if not path.is_file():
        raise RunError(
            f'no predictions {path}. This makes them:\n'
            f'  python tools/test.py CONFIG CHECKPOINT --dump {path}'
        )
    try:
        report = json.loads(path.read_bytes())
        size = len(report['classes'])
        confusion = np.asarray(report['confusion_matrix'], dtype=np.int64)
        if confusion.shape != (size, size) or not report['clips']:
            raise ValueError(
                f'{size} classes, confusion matrix {confusion.shape}, '
                f'{len(report["clips"])} clips'
            )
        for clip in report['clips']:
            classes = clip['label'], clip['prediction']
            if len(clip['scores']) != size or not set(classes) <= set(range(size)):
                raise ValueError(
                    f'clip {clip["clip"]} is not scored for {size} classes'
                )
    except (KeyError, TypeError, ValueError) as error:
        raise RunError(
            f'{path} is no dump of DFERMetric ({type(error).__name__}: {error}). This '
            f'makes one:\n  python tools/test.py CONFIG CHECKPOINT --dump {path}'
        ) from error
    return report


def find_config(work_dir: str | os.PathLike) -> Path:
    """Return the one config that MMEngine dumped into a work dir.

    Raises:
        RunError: If there is none, or several: which of them made the predictions
            cannot be known.

    Example:
        >>> from ifdd_mmaction.fileio import write_atomic
        >>> from ifdd_mmaction.visualization import find_config
        >>> write_atomic('work_dir/ifdd_vit_dfew.py', b'max_epochs = 100')
        >>> find_config('work_dir').name
        'ifdd_vit_dfew.py'
    """
    found = sorted(Path(work_dir).glob('*.py'))
    if not found:
        raise RunError(
            f'no config in {work_dir}, where training and testing dump theirs. '
            'Give it with --config.'
        )
    if len(found) > 1:
        raise RunError(
            f'{len(found)} configs in {work_dir}: '
            f'{", ".join(path.name for path in found)}. Give the one of the '
            'predictions with --config.'
        )
    return found[0]


def choose_clips(clips: Sequence[dict[str, Any]], count: int) -> list[dict[str, Any]]:
    """Choose clips to show: right and wrong ones by halves, classes in turn.

    The same clips give the same choice: within a class it is the first in the list,
    not the one that looks best.

    Example:
        >>> from ifdd_mmaction.visualization import choose_clips
        >>> clips = [dict(clip=i, label=i % 2, prediction=int(i > 2)) for i in range(6)]
        >>> [clip['clip'] for clip in choose_clips(clips, count=4)]
        [0, 3, 4, 1]
    """
    right = [clip for clip in clips if clip['label'] == clip['prediction']]
    wrong = [clip for clip in clips if clip['label'] != clip['prediction']]
    many_wrong = min(len(wrong), max(count // 2, count - len(right)))
    shown: Counter[int] = Counter()
    chosen = []
    for pool, quota in ((right, count - many_wrong), (wrong, many_wrong)):
        rest = list(pool)
        for _ in range(min(quota, len(pool))):
            clip = min(rest, key=lambda clip: (shown[clip['label']], clip['label']))
            rest.remove(clip)
            shown[clip['label']] += 1
            chosen.append(clip)
    return chosen


def load_clips(
    config: str | os.PathLike, clips: Sequence[Mapping[str, Any]]
) -> list[ClipPrediction]:
    """Load up to ``MAX_FRAMES`` frames, evenly spread, of each clip.

    Args:
        config: File with the ``test_dataloader`` that the clips come from.
        clips: Clips of :func:`read_predictions`.

    Raises:
        RunError: If the config has no such dataset, or not those clips.
        DatasetError: If the data is not where the config says, or broken.

    Example:
        >>> from mmengine.config import Config
        >>> from ifdd_mmaction.visualization import load_clips
        >>> data = dict(
        ...     type='AnnotationFileDataset', ann_file='clips.csv', split='test'
        ... )
        >>> Config(dict(test_dataloader=dict(dataset=data))).dump('config.py')
        >>> clips = [dict(clip='frames/anna', label=0, scores=[0.9, 0.1])]
        >>> (clip,) = load_clips('config.py', clips)
        >>> clip.name, len(clip.frames)
        ('frames/anna', 8)
    """
    cfg = Config.fromfile(config)
    settings = (cfg.get('test_dataloader') or {}).get('dataset')
    if not settings:
        raise RunError(f'{config} has no test_dataloader.dataset')
    init_default_scope(cfg.get('default_scope', 'mmaction'))
    dataset = DATASETS.build({**settings, 'pipeline': []})
    infos = [dataset.get_data_info(i) for i in range(len(dataset))]
    by_name = {(i.get('video_id'), i.get('label')): i for i in infos if 'source' in i}
    loaded = []
    for clip in clips:
        info = by_name.get((clip['clip'], clip['label']))
        if info is None:
            raise RunError(
                f'clip {clip["clip"]} with label {clip["label"]} is not in the test '
                f'set of {config} ({len(dataset)} clips): the predictions are of '
                'another split, fold or dataset'
            )
        source = info['source']
        spread = np.linspace(0, len(source) - 1, min(len(source), MAX_FRAMES))
        frames = source.read(spread.round().astype(int).tolist())
        loaded.append(
            ClipPrediction(clip['clip'], clip['label'], clip['scores'], frames)
        )
    return loaded
