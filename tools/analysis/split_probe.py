"""Compare splits and readouts on the features of a frozen model.

    python tools/analysis/split_probe.py configs/ifdd_vit_sample_content.py \\
        work_dirs/content/frames/epoch_20.pth --data-root data/sample_wide

Backbone and aggregation, as the checkpoint has them, give the features X of every clip
once; each row is trained on them alone, with several seeds, which takes seconds. The
oracle takes the frames of the highest known intensity (``envelope.npy`` of the set):
it says how much the right indexes would bring. The evidence takes those that the
classifier of the checkpoint, which must be one of frames, finds least neutral. The
constraint of the disentanglement loss is compared in the same way (``--loss-weights``,
``--constraints``). Writes OUT.md and OUT.json after each row; the same command with the
same code goes on after the rows that are there.
Exit codes: 0 measured, 2 wrong data or arguments.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from mmaction.registry import MODELS
from mmengine.config import Config
from mmengine.model import BaseModel
from mmengine.registry import init_default_scope
from mmengine.runner import Runner
from probe_disentanglement import NEUTRAL, data_settings, emotional, find_clip
from split_probing.constraints import CONSTRAINTS
from split_probing.readouts import ROWS
from split_probing.tables import to_markdown
from split_probing.training import (
    Part,
    measure,
    setting_of,
    settings,
    summarize,
    train,
)

from ifdd_mmaction.analysis import (
    ProbeError,
    disentangle,
    emotion_curves,
    read_timed_clips,
)
from ifdd_mmaction.apis.models import read_config
from ifdd_mmaction.checkpoints import CheckpointError, read_checkpoint
from ifdd_mmaction.cli import add_cfg_options, describe
from ifdd_mmaction.datasets import DatasetError
from ifdd_mmaction.errors import InputError
from ifdd_mmaction.evaluation import write_table
from ifdd_mmaction.progress import track
from ifdd_mmaction.provenance import provenance

#: What a record must share with the command that goes on with it.
SAME = (
    'commit', 'config', 'checkpoint', 'data_root', 'fold', 'cfg_options', 'epochs',
    'seeds', 'best_frames',
)  # fmt: skip


def parse_args(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=describe(__doc__))
    parser.add_argument('config', type=Path, help='config file')
    parser.add_argument('checkpoint', type=Path, help='checkpoint of frames or clips')
    parser.add_argument('--data-root', type=Path, help='the set (that of the config)')
    parser.add_argument('--fold', type=int, help='fold (that of the config)')
    parser.add_argument('--seeds', nargs='+', type=int, default=[0, 1, 2, 3, 4])
    parser.add_argument('--epochs', type=int, default=15, help='(%(default)s)')
    parser.add_argument(
        '--loss-weights',
        nargs='+',
        type=float,
        default=[0.1],
        help='weights of the constraint on the context, each with every row '
        '(%(default)s)',
    )
    parser.add_argument(
        '--constraints',
        nargs='+',
        choices=CONSTRAINTS,
        default=['paper'],
        metavar='NAME',
        help='ways to compute the constraint, each with every row and weight: '
        f'{", ".join(CONSTRAINTS)} (paper)',
    )
    parser.add_argument(
        '--rows', nargs='+', choices=ROWS, default=ROWS, metavar='ROW', help='(all)'
    )
    parser.add_argument('--out', type=Path, default=Path('split_probe'))
    add_cfg_options(parser)
    args = parser.parse_args(argv)
    for path in (args.config, args.checkpoint):
        if not path.is_file():
            parser.error(f'no file {path}')
    return args


def load_model(cfg: Config, path: Path) -> BaseModel:
    """Build the model; split and lifting are not read: each row has its own."""
    model = MODELS.build(cfg.model).eval()
    found = read_checkpoint(path, map_location='cpu')
    weights = found.get('state_dict', found)
    own = {
        name: value
        for name, value in model.state_dict().items()
        if not name.startswith(('neck.split.', 'neck.lifting.'))
    }
    wrong = [
        name
        for name, value in own.items()
        if name not in weights or weights[name].shape != value.shape
    ]
    if wrong:
        raise CheckpointError(
            f'{path} does not fit {cfg.filename}: {len(wrong)} of {len(own)} weights '
            f'are missing or of another shape, {wrong[0]} for one'
        )
    model.load_state_dict({name: weights[name] for name in own}, strict=False)
    return model


@torch.no_grad()
def collect(model: Any, cfg: Config, args: argparse.Namespace, split: str) -> Part:
    """Compute the features of all clips of a split."""
    loader = data_settings(cfg, args, split)
    truth = read_timed_clips(loader.dataset.data_root)
    batches = Runner.build_dataloader(loader)
    classes = batches.dataset.metainfo['classes']
    x, labels, envelopes, subjects = [], [], [], []
    for batch in track(batches, len(batches), f'Features of {split}'):
        data = model.data_preprocessor(batch, training=False)
        # Of several views, such as a clip and its mirror image, the first.
        x.append(disentangle(model, data['inputs'][:, :1]).x)
        for sample in data['data_samples']:
            clip = find_clip(truth, sample, classes)
            labels.append(clip.label)
            subjects.append(clip.subject)
            envelopes.append(torch.from_numpy(clip.envelope[sample.frame_inds]))
    part = dict(labels=torch.tensor(labels), classes=classes)
    features = torch.cat(x)
    curves = emotion_curves(torch.stack(envelopes), features.shape[2])
    shown = torch.from_numpy(emotional(part))
    names = [str(name).casefold() for name in classes]
    neutral = names.index(NEUTRAL) if NEUTRAL in names else None
    return Part(features, part['labels'], curves, subjects, shown, neutral)


def measured(out: Path, record: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the rows of an interrupted run of the same command and code."""
    path = out.with_suffix('.json')
    if not path.is_file():
        return []
    found = json.loads(path.read_text())
    same = all(found.get(key) == record[key] for key in SAME)
    if not same or record['commit'].endswith(('dirty', 'unknown')):
        return []
    print(f'{len(found["rows"])} rows are in {path}', flush=True)
    return found['rows']


def probe(cfg: Config, args: argparse.Namespace) -> None:
    """Measure all rows, and write the table after each."""
    model = load_model(cfg, args.checkpoint)
    training, test = (collect(model, cfg, args, split) for split in ('train', 'test'))
    if both := set(training.subjects) & set(test.subjects):
        raise ProbeError(f'{len(both)} subjects are in both splits of the fold')
    best = test.curves[test.shown, 0].topk((test.x.shape[2] + 1) // 2, dim=1).values
    record: dict[str, Any] = dict(
        provenance(),
        config=str(args.config),
        checkpoint=str(args.checkpoint),
        data_root=str(args.data_root),
        fold=args.fold,
        cfg_options=args.cfg_options,
        epochs=args.epochs,
        seeds=args.seeds,
        train_clips=len(training.x),
        test_clips=len(test.x),
        best_frames=best.mean().item(),
        rows=[],
    )
    record['rows'] = measured(args.out, record)
    known = {setting_of(row) for row in record['rows']}
    for setting in settings(args.rows, args.constraints, args.loss_weights):
        if setting in known:
            continue
        runs = []
        for seed in args.seeds:
            head = model.cls_head.fc_cls
            readout = train(setting, seed, training, head, args.epochs)
            runs.append(measure(readout, test))
            print(
                f'{setting}, seed {seed}: UAR {100 * runs[-1]["UAR"]:.1f} %', flush=True
            )
        record['rows'].append(summarize(setting, runs, test))
        write_table(args.out, to_markdown(record), record)
    print(f'{to_markdown(record)}\n\nin {args.out}.md and {args.out}.json')


def main(argv: Sequence[str] | None = None) -> int:
    args = parse_args(argv)
    try:
        cfg = read_config(args.config, args.cfg_options)
        init_default_scope(cfg.get('default_scope', 'mmaction'))
        probe(cfg, args)
    except (CheckpointError, DatasetError, InputError, ProbeError) as error:
        print(error, file=sys.stderr)
        return 2
    return 0


if __name__ == '__main__':
    sys.exit(main())
