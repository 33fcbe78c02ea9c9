"""Publish a trained checkpoint.

    python tools/publish_model.py configs/ifdd_vit_dfew.py \
        work_dirs/ifdd_vit_dfew/fold1/epoch_100.pth --data dfew

The work dir is the checkpoint's folder, with the training's log and, by the name of
``predictions.json``, what ``tools/test.py --dump`` wrote for this checkpoint. It is
checked that config, log, numbers and weights belong together. Then ``zoo/`` gets the
weights as ``<config>_<date>-<sha8>.pth`` and ``.safetensors``, without the optimizer,
the log beside them as ``.json``, the predictions as ``_predictions.json`` and the model
card as ``.md``, and ``configs/metafile.yml`` gets an entry. Exit codes: 0 published, 2
something does not agree or is missing.
"""

from __future__ import annotations

import argparse
import datetime
import hashlib
import io
import json
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import torch
import yaml
from mmengine.config import Config
from mmengine.registry import init_default_scope
from model_card import DATA, model_card
from safetensors.torch import save as to_safetensors
from torch import Tensor

from ifdd_mmaction.apis import build_model
from ifdd_mmaction.apis.download import sha256_of
from ifdd_mmaction.checkpoints import CheckpointError, read_checkpoint
from ifdd_mmaction.datasets import DatasetError, set_fold
from ifdd_mmaction.datasets.folds import LOADERS, folds_of, innermost
from ifdd_mmaction.engine import check_checkpoint
from ifdd_mmaction.errors import InputError
from ifdd_mmaction.evaluation import dfer_scores
from ifdd_mmaction.fileio import write_atomic
from ifdd_mmaction.models import infer_neck
from ifdd_mmaction.visualization import WorkDirError, read_predictions, read_scalars
from ifdd_mmaction.visualization.training_curve import is_training
from ifdd_mmaction.weights import load_all

ROOT = Path(__file__).resolve().parents[1]
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
#: Modules, because a fork of MMEngine has another name of distribution.
MODULES = {
    'ifdd-mmaction': 'ifdd_mmaction', 'torch': 'torch', 'mmengine': 'mmengine',
    'mmaction2': 'mmaction', 'numpy': 'numpy',
}  # fmt: skip


class PublishError(ValueError):
    """Something is missing or does not agree; the message says what."""


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description='Publish a trained checkpoint')
    parser.add_argument('config', type=Path, help='config below configs/')
    parser.add_argument('checkpoint', type=Path, help='checkpoint in its work dir')
    parser.add_argument(
        '--data', required=True, choices=sorted(DATA), help='what it was trained on'
    )
    parser.add_argument(
        '--predictions', type=Path, help='dump of tools/test.py (predictions.json)'
    )
    parser.add_argument('--name', help='of the model (the config); CONFIG_fold2, say')
    parser.add_argument(
        '--kfold', type=Path, help='work dir of tools/kfold.py: all folds in the card'
    )
    parser.add_argument(
        '--changed', nargs='+', default=[], metavar='KEY',
        help='keys of the config that were rewritten since the training and mean the '
        'same; the card says so',
    )  # fmt: skip
    parser.add_argument('--note', help='a sentence for the model card')
    parser.add_argument(
        '--report', type=Path, help='Markdown file of further results for the card'
    )
    parser.add_argument('--url', help='address of the files, where it is not zoo/')
    parser.add_argument('--date', help='YYYYMMDD (today)')
    parser.add_argument('--out', type=Path, default=ROOT / 'zoo', help='folder')
    parser.add_argument(
        '--metafile', type=Path, default=ROOT / 'configs' / 'metafile.yml'
    )
    args = parser.parse_args(argv)
    args.name = args.name or args.config.stem
    args.date = args.date or datetime.date.today().strftime('%Y%m%d')
    if not re.fullmatch(r'\d{8}', args.date):
        parser.error(f'--date {args.date}: must be YYYYMMDD')
    if not re.fullmatch(rf'{re.escape(args.config.stem)}(_[\w.-]+)?', args.name):
        parser.error(f'--name {args.name}: begin it with {args.config.stem}')
    work_dir = args.checkpoint.parent
    args.predictions = args.predictions or work_dir / 'predictions.json'
    return args


def publish(args: argparse.Namespace) -> Path:
    """Check a checkpoint, write the published files, and return that of the weights.

    Raises:
        PublishError, WorkDirError, CheckpointError, DatasetError: See the messages.
    """
    if not args.metafile.is_file():
        raise PublishError(f'no metafile {args.metafile}')
    # Reading compares no checksum: a weight that a disk has changed would pass.
    check_checkpoint(args.checkpoint)
    checkpoint = read_checkpoint(args.checkpoint, map_location='cpu')
    meta = checkpoint.get('meta') or {}
    if not (meta.get('dataset_meta') or {}).get('classes') or 'epoch' not in meta:
        raise PublishError(
            f'{args.checkpoint} is not of tools/train.py: no class names'
        )
    cfg = published_config(args.config, meta['dataset_meta'].get('fold'))
    check_config(cfg, args.checkpoint.parent, meta, args.changed)
    report = read_predictions(args.predictions)
    scores = check_scores(report, meta)
    log = check_log(args.checkpoint.parent, meta, scores)
    # Cloned: a view would bring all of what it views along.
    weights = {
        name: value.detach().clone().contiguous()
        for name, value in checkpoint['state_dict'].items()
    }
    parameters = check_weights(cfg, weights)
    kept = kept_meta(cfg, meta, scores, args)
    data = to_pth(weights, kept)
    sha256 = hashlib.sha256(data).hexdigest()
    stem = f'{args.name}_{args.date}-{sha256[:8]}'
    folds = read_folds(args.kfold) if args.kfold else {}
    path = args.out / f'{stem}.pth'
    entry = metafile_entry(args, cfg, kept, parameters, path.name, sha256)
    text = args.report.read_text(encoding='utf-8') if args.report else ''
    card = model_card(entry, kept, report, folds, args.data, args.note, text)
    write_atomic(path, data)
    # One entry: safetensors writes several in any order, and the bytes would differ.
    metadata = {'meta': json.dumps(kept)}
    write_atomic(path.with_suffix('.safetensors'), to_safetensors(weights, metadata))
    lines = ''.join(json.dumps(row) + '\n' for row in log)
    write_atomic(path.with_suffix('.json'), lines.encode())
    write_atomic(args.out / f'{stem}_predictions.json', args.predictions.read_bytes())
    write_atomic(path.with_suffix('.md'), card.encode())
    check_files(path, sha256, weights)
    add_entry(args.metafile, entry)
    return path


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


def kept_meta(
    cfg: Config,
    meta: Mapping[str, Any],
    scores: Mapping[str, float],
    args: argparse.Namespace,
) -> dict[str, Any]:
    """Return the metadata to publish: plain data, no path of this machine."""
    about = meta['dataset_meta']
    return dict(
        name=args.name,
        # The config as published: that of the training has the paths of its machine.
        cfg=cfg.pretty_text,
        epoch=meta['epoch'],
        iter=meta['iter'],
        seed=meta.get('seed'),
        dataset_meta=dict(
            classes=list(about['classes']),
            fold=about.get('fold'),
            release=about.get('release'),
            **{key: about[key] for key in ('decoder',) if key in about},
        ),
        data=args.data,
        metrics=dict(scores),
        changed=list(args.changed),
        **{key: meta[key] for key in ('calibration',) if key in meta},
        mmengine_version=meta.get('mmengine_version'),
        versions={
            name: str(import_module(module).__version__)
            for name, module in MODULES.items()
        },
    )


def to_pth(state: Mapping[str, Tensor], meta: Mapping[str, Any]) -> bytes:
    """Return the bytes of a checkpoint; the same input gives the same bytes."""
    buffer = io.BytesIO()
    torch.save(dict(meta=meta, state_dict=state), buffer)
    return buffer.getvalue()


def check_files(path: Path, sha256: str, state: Mapping[str, Tensor]) -> None:
    """Read both files again, as a user will."""
    if sha256_of(path) != sha256:
        raise PublishError(f'{path} was not written as it should: wrong SHA-256')
    for file in (path, path.with_suffix('.safetensors')):
        written = read_checkpoint(file)['state_dict']
        if written.keys() != state.keys() or not all(
            torch.equal(written[name], state[name]) for name in state
        ):
            raise PublishError(f'{file} holds other weights than {path.stem}')


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


def main(argv: Sequence[str] | None = None) -> None:
    try:
        path = publish(parse_args(argv))
    except (
        PublishError,
        WorkDirError,
        CheckpointError,
        DatasetError,
        OSError,
    ) as error:
        print(error, file=sys.stderr)
        sys.exit(2)
    print(f'published {path} ({path.stat().st_size / 1e6:.1f} MB), card, log and entry')


if __name__ == '__main__':
    main()
