"""Whether config, log, numbers and weights of a checkpoint belong together."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from mmengine.config import Config
from mmengine.registry import init_default_scope
from torch import Tensor

from ifdd_mmaction.apis import build_model
from ifdd_mmaction.datasets import set_fold
from ifdd_mmaction.datasets.folds import LOADERS, folds_of, innermost
from ifdd_mmaction.errors import InputError
from ifdd_mmaction.evaluation import dfer_scores
from ifdd_mmaction.models import infer_neck
from ifdd_mmaction.visualization import read_scalars
from ifdd_mmaction.visualization.training_curve import is_training
from ifdd_mmaction.weights import load_all

from .error import PublishError

ROOT = Path(__file__).resolve().parents[2]
SCORES = ('WAR', 'UAR', 'F1')
#: What of a config decides the weights and the numbers; the rest is logging.
DECISIVE = (
    'model', 'train_dataloader', 'test_dataloader', 'train_cfg', 'optim_wrapper',
    'param_scheduler', 'custom_hooks', 'auto_scale_lr',
)  # fmt: skip
#: What may differ between machines.
OF_THE_MACHINE = re.compile(r'\.(data_root|num_workers|persistent_workers)$')
#: Kernels of GPUs differ by rounding, which may turn a clip or two in thousands.
TOLERANCE = 1e-3


def published_config(path: Path, fold: int | None) -> Config:
    """Read a config as the tools run it: its neck inferred, its fold set."""
    if not (path.is_file() and path.resolve().is_relative_to(ROOT / 'configs')):
        raise PublishError(f'{path} is no config below {ROOT / "configs"}')
    cfg = Config.fromfile(path)
    init_default_scope(cfg.get('default_scope', 'mmaction'))
    infer_neck(cfg.model)
    datasets = [d for name in LOADERS for d in innermost(cfg.get(name) or {})]
    if fold is not None and any(folds_of(d) for d in datasets):
        set_fold(cfg, fold)
    return cfg


def check_config(
    cfg: Config, work_dir: Path, meta: Mapping[str, Any], changed: Sequence[str]
) -> None:
    """Compare a config with the one that a checkpoint was trained with."""
    # The dump beside the log, not the text in the checkpoint: a config is a program.
    dumps = sorted(work_dir.glob('*/vis_data/config.py'))
    dumps = [path for path in dumps if path.read_text() == meta.get('cfg')]
    if not dumps:
        raise PublishError(
            f'no */vis_data/config.py in {work_dir} is the config in the checkpoint: '
            'it was trained elsewhere'
        )
    dumped = Config.fromfile(dumps[-1], import_custom_modules=False)
    infer_neck(dumped.model)  # as the published one: numbers against numbers
    trained = dict(flatten(dumped))
    now = dict(flatten(cfg))
    problems = [
        f'{key}: {trained.get(key)!r} in training, {now.get(key)!r} in the config'
        for key in sorted({*trained, *now})
        if trained.get(key) != now.get(key)
        and not any(key == c or key.startswith(f'{c}.') for c in changed)
    ]
    if problems:
        listed = '\n  '.join(problems)
        raise PublishError(f'the checkpoint is of another config:\n  {listed}')


def flatten(cfg: Config) -> Iterator[tuple[str, Any]]:
    """Yield what decides the result of a config: dotted names and plain values."""

    def walk(prefix: str, value: Any) -> Iterator[tuple[str, Any]]:
        if isinstance(value, Mapping) and value:
            items = value.items()
        elif isinstance(value, (list, tuple)) and value:
            items = enumerate(value)
        else:
            if not OF_THE_MACHINE.search(prefix):
                yield prefix, value
            return
        for key, inner in items:
            yield from walk(f'{prefix}.{key}', inner)

    for name in DECISIVE:
        yield from walk(name, cfg.get(name))


def check_scores(
    report: Mapping[str, Any], meta: Mapping[str, Any]
) -> dict[str, float]:
    """Return WAR, UAR and F1, computed anew from the scores of each clip."""
    classes = list(meta['dataset_meta']['classes'])
    if report['classes'] != classes:
        raise PublishError(
            f'the predictions are of the classes {", ".join(report["classes"])}, the '
            f'checkpoint of {", ".join(classes)}'
        )
    confusion = np.zeros((len(classes),) * 2, dtype=np.int64)
    for clip in report['clips']:
        confusion[clip['label'], int(np.argmax(clip['scores']))] += 1
    missed = np.bincount(
        [clip['label'] for clip in report.get('unread', ())], minlength=len(classes)
    )
    computed = dfer_scores(confusion, missed)
    for name in SCORES:
        if abs(computed[name] - report[name]) > 1e-9:
            raise PublishError(
                f'{name} is {report[name]} in the predictions, and {computed[name]} '
                'by the scores of their clips'
            )
    return {name: computed[name] for name in SCORES}


def check_log(
    work_dir: Path, meta: Mapping[str, Any], scores: Mapping[str, float]
) -> list[dict[str, Any]]:
    """Return the log up to the checkpoint's epoch, once it agrees with the scores."""
    epoch = meta['epoch']
    rows = [
        row
        for row in read_scalars(work_dir)
        if row['epoch' if is_training(row) else 'step'] <= epoch
    ]
    steps = [row['step'] for row in rows if is_training(row) and row['epoch'] == epoch]
    if not steps or max(steps) != meta['iter']:
        raise PublishError(
            f'the log in {work_dir} ends epoch {epoch} at iteration '
            f'{max(steps, default="none")}, the checkpoint is of {meta["iter"]}'
        )
    validated = [row for row in rows if not is_training(row) and row['step'] == epoch]
    for row, name in ((row, name) for row in validated for name in SCORES):
        logged = row.get(f'dfer/{name}', scores[name])
        if abs(logged - scores[name]) > TOLERANCE:
            raise PublishError(
                f'{name} of epoch {epoch} is {logged:.4f} in the log and '
                f'{scores[name]:.4f} in the predictions: they are of another '
                'checkpoint or other clips'
            )
    return rows


def check_weights(cfg: Config, state: Mapping[str, Tensor]) -> int:
    """Load the weights into the model of a config and count its parameters."""
    model = build_model(cfg, device='cpu')
    try:
        load_all(model, state, 'the checkpoint')
    except InputError as error:
        raise PublishError(str(error)) from error
    if bad := [k for k, v in state.items() if not torch.isfinite(v.float()).all()]:
        raise PublishError(f'not finite: {", ".join(bad[:3])} ({len(bad)} in all)')
    return sum(p.numel() for p in model.parameters())
