"""Read the files of a work dir: scalars, predictions, config, frames."""

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

#: Maximum number of frames per clip in a figure.
MAX_FRAMES = 16


class WorkDirError(ValueError):
    """A file of a work dir is missing or invalid; says how to create it."""


def read_scalars(work_dir: str | os.PathLike) -> list[dict[str, Any]]:
    """Return the records of all ``<timestamp>/vis_data/scalars.json`` as one training.

    Where a run was resumed, the records that earlier runs logged after that point are
    dropped.

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
    """Return the sort key of a record: the epoch and the total iteration."""
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
            # The last line is incomplete if the run was killed.
            if number == len(lines):
                break
            raise WorkDirError(
                f'{path}:{number}: not JSON ({error}): remove this line'
            ) from error
        if is_training(record) or is_validation(record):
            records.append(record)
    return records


def read_predictions(path: str | os.PathLike) -> dict[str, Any]:
    """Read a dump of :class:`DFERMetric`: ``classes``, ``clips`` and other keys.

    Raises:
        WorkDirError: If the file is missing or not such a dump.

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
        raise WorkDirError(
            f'{path} does not exist: create it with `python tools/test.py CONFIG '
            f'CHECKPOINT --dump {path}`'
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
                    f'clip {clip["clip"]} does not have scores of {size} classes'
                )
    except (KeyError, TypeError, ValueError) as error:
        raise WorkDirError(
            f'{path} is not a dump of DFERMetric ({type(error).__name__}: {error}): '
            f'create it with `python tools/test.py CONFIG CHECKPOINT --dump {path}`'
        ) from error
    return report


def find_config(work_dir: str | os.PathLike) -> Path:
    """Return the only config that MMEngine dumped into a work dir.

    Raises:
        WorkDirError: If there is none, or more than one: the config of the predictions
            is then unknown.

    Example:
        >>> from ifdd_mmaction.fileio import write_atomic
        >>> from ifdd_mmaction.visualization import find_config
        >>> write_atomic('work_dir/ifdd_vit_dfew.py', b'max_epochs = 100')
        >>> find_config('work_dir').name
        'ifdd_vit_dfew.py'
    """
    found = sorted(Path(work_dir).glob('*.py'))
    if not found:
        raise WorkDirError(
            f'{work_dir} contains no config, which training and testing write there: '
            'set --config'
        )
    if len(found) > 1:
        raise WorkDirError(
            f'{work_dir} contains {len(found)} configs, '
            f'{", ".join(path.name for path in found)}: set --config to the one of the '
            'predictions'
        )
    return found[0]


def choose_clips(clips: Sequence[dict[str, Any]], count: int) -> list[dict[str, Any]]:
    """Choose clips to show: half correct, half wrong predictions, classes in turn.

    The choice is deterministic: the first clips of each class in the list.

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
    """Load up to ``MAX_FRAMES`` evenly spaced frames of each clip.

    Args:
        config: Config file with the ``test_dataloader`` of the clips.
        clips: Clips of :func:`read_predictions`.

    Raises:
        WorkDirError: If the config has no test dataset, or the dataset lacks the clips.
        DatasetError: If the data is missing or damaged.

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
        raise WorkDirError(f'{config} has no test_dataloader.dataset: add it')
    init_default_scope(cfg.get('default_scope', 'mmaction'))
    dataset = DATASETS.build({**settings, 'pipeline': []})
    infos = [dataset.get_data_info(i) for i in range(len(dataset))]
    by_name = {(i.get('video_id'), i.get('label')): i for i in infos if 'source' in i}
    loaded = []
    for clip in clips:
        info = by_name.get((clip['clip'], clip['label']))
        if info is None:
            raise WorkDirError(
                f'clip {clip["clip"]} with label {clip["label"]} is not in the test '
                f'set of {config} ({len(dataset)} clips): use the config of the '
                'split, fold and dataset of the predictions'
            )
        source = info['source']
        spread = np.linspace(0, len(source) - 1, min(len(source), MAX_FRAMES))
        frames = source.read(spread.round().astype(int).tolist())
        loaded.append(
            ClipPrediction(clip['clip'], clip['label'], clip['scores'], frames)
        )
    return loaded
