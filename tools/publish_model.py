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
import json
import re
import sys
from collections.abc import Sequence
from pathlib import Path

from publishing.agreement import (
    ROOT,
    check_config,
    check_log,
    check_scores,
    check_weights,
    published_config,
)
from publishing.card import DATA, model_card
from publishing.error import PublishError
from publishing.metafile import add_entry, metafile_entry, read_folds
from publishing.weights import check_files, kept_meta, to_pth
from safetensors.torch import save as to_safetensors

from ifdd_mmaction.checkpoints import CheckpointError, read_checkpoint
from ifdd_mmaction.datasets import DatasetError
from ifdd_mmaction.engine import check_checkpoint
from ifdd_mmaction.fileio import write_atomic
from ifdd_mmaction.visualization import WorkDirError, read_predictions


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
