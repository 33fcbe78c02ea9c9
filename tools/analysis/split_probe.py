"""Compare splits and readouts on the features of a frozen model.

    python tools/analysis/split_probe.py configs/ifdd_vit_sample_content.py \\
        work_dirs/content/frames/epoch_20.pth --data-root data/sample_wide

Backbone and aggregation, as the checkpoint has them, give the features X of every clip
once; each row is trained on them alone, with several seeds, which takes seconds. The
oracle takes the frames of the highest known intensity (``envelope.npy`` of the set):
it says how much the right indexes would bring. Writes OUT.md and OUT.json after each
row; the same command with the same code goes on after the rows that are there.
Exit codes: 0 measured, 2 wrong data or arguments.
"""

from __future__ import annotations

import argparse
import itertools
import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from mmaction.registry import MODELS
from mmengine.config import Config
from mmengine.model import BaseModel
from mmengine.registry import init_default_scope
from mmengine.runner import Runner
from probe_disentanglement import data_settings, emotional, find_clip
from torch import Tensor, nn

from ifdd_mmaction.analysis import (
    ProbeError,
    cluster_bootstrap,
    disentangle,
    emotion_curves,
    mean_at,
    read_timed_clips,
)
from ifdd_mmaction.apis.models import read_config
from ifdd_mmaction.checkpoints import CheckpointError, read_checkpoint
from ifdd_mmaction.cli import add_cfg_options, describe
from ifdd_mmaction.datasets import DatasetError
from ifdd_mmaction.errors import InputError
from ifdd_mmaction.evaluation import mean_std, percent, write_table
from ifdd_mmaction.models.losses import global_context_loss
from ifdd_mmaction.models.necks.ladm import context_gap
from ifdd_mmaction.models.necks.temporal_split import SplitIndexes, TemporalSplit
from ifdd_mmaction.progress import track
from ifdd_mmaction.provenance import provenance
from ifdd_mmaction.randomness import seed_generators

#: Rows without a neck, then (split, lifting) of those with one.
POOLINGS = ('mean', 'attention')
SPLITS = dict(
    interval=dict(type='IntervalSplit'),
    issm=dict(type='ISSM', receptive_field=2.0),
    issm_4=dict(type='ISSM', receptive_field=4.0),
    oracle=dict(),  # of this tool: not registered
)
LIFTINGS = dict(
    paper=dict(type='LADM', num_heads=4, drop_path=0.0),
    average=dict(
        type='LADM', num_heads=4, norm=False, output_attention=False, compress=False
    ),
)
ROWS = [
    *POOLINGS,
    *(f'{split} + {lifting}' for lifting in LIFTINGS for split in SPLITS),
]
#: What a record must share with the command that goes on with it.
SAME = (
    'commit', 'config', 'checkpoint', 'data_root', 'fold', 'cfg_options', 'epochs',
    'seeds', 'best_frames',
)  # fmt: skip
BATCH, RATE, DECAY, SMOOTHING, DROPOUT, CLIPPING = 32, 1e-3, 0.05, 0.05, 0.1, 5.0


class Part(NamedTuple):
    """The clips of one side of a fold."""

    x: Tensor  # (N, C, T, H, W)
    labels: Tensor
    curves: Tensor  # (N, 2, T)
    subjects: list[str]
    shown: Tensor  # numbers of the clips that are not neutral


class OracleSplit(TemporalSplit):
    """The half of the frames with the highest known intensity to the dynamics group.

    ``intensity`` ``(N, T)`` of the clips is set before each batch.
    """

    intensity: Tensor

    def locate(self, x: Tensor) -> SplitIndexes:
        """Return the frames ``(N, T/2)`` of each group, in temporal order."""
        order = self.intensity.argsort(dim=1, descending=True, stable=True)
        dynamic, static = (half.sort(dim=1).values for half in order.chunk(2, dim=1))
        return SplitIndexes(static.float(), dynamic.float())

    def split(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Split ``(N, C, T, H, W)``, T even, into ``(N, C, T/2, H, W)`` each."""
        clips = torch.arange(len(x))[:, None]
        groups = [x.transpose(1, 2)[clips, i.long()] for i in self.locate(x)[:2]]
        return groups[0].transpose(1, 2), groups[1].transpose(1, 2)


class Readout(nn.Module):
    """One row: features X ``(N, C, T, H, W)`` to scores of the classes."""

    def __init__(self, row: str, size: Sequence[int], head: nn.Linear) -> None:
        super().__init__()
        c, t, h, w = size
        self.row, self.split = row, None
        self.head = nn.Linear(c, head.out_features)
        self.head.load_state_dict(head.state_dict())
        if row == 'attention':
            self.query = nn.Linear(c * h * w, 1)
            self.head = nn.Linear(c * h * w, head.out_features)
        elif row not in POOLINGS:
            split, lifting = row.split(' + ')
            sizes = dict(in_channels=c, num_frames=t)
            self.split = (
                OracleSplit(**sizes)
                if split == 'oracle'
                else MODELS.build(SPLITS[split] | sizes)
            )
            self.lifting = MODELS.build(
                dict(LIFTINGS[lifting], in_channels=c, input_size=(t, h, w))
            )

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Return scores ``(N, K)`` and the value of the constraint on the context."""
        constraint = x.new_zeros(())
        if self.split is not None:
            vector, y_s = self.lifting(*self.split(x))
            constraint = global_context_loss(context_gap(x, y_s))
        elif self.row == 'attention':
            frames = x.transpose(1, 2).flatten(2)  # (N, T, C * H * W)
            vector = (self.query(frames).softmax(dim=1) * frames).sum(dim=1)
        else:
            vector = x.mean(dim=(2, 3, 4))
        return self.head(F.dropout(vector, DROPOUT, self.training)), constraint


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
        x.append(disentangle(model, data['inputs']).x)
        for sample in data['data_samples']:
            clip = find_clip(truth, sample, classes)
            labels.append(clip.label)
            subjects.append(clip.subject)
            envelopes.append(torch.from_numpy(clip.envelope[sample.frame_inds]))
    part = dict(labels=torch.tensor(labels), classes=classes)
    features = torch.cat(x)
    curves = emotion_curves(torch.stack(envelopes), features.shape[2])
    shown = torch.from_numpy(emotional(part))
    return Part(features, part['labels'], curves, subjects, shown)


def train(
    row: str, weight: float, seed: int, part: Part, head: nn.Linear, epochs: int
) -> Readout:
    """Train one row on the features of the training clips."""
    seed_generators(seed)
    model = Readout(row, part.x.shape[1:], head)
    optimizer = torch.optim.AdamW(model.parameters(), RATE, weight_decay=DECAY)
    steps = len(part.x) // BATCH
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, 2 * RATE, total_steps=epochs * steps + 1
    )
    for _ in range(epochs):
        for clips in torch.randperm(len(part.x))[: steps * BATCH].split(BATCH):
            x = part.x[clips]
            flipped = torch.rand(len(x), 1, 1, 1, 1) < 0.5
            x = torch.where(flipped, x.flip(4), x)
            scores, constraint = predict(model, x, part, clips)
            loss = F.cross_entropy(
                scores, part.labels[clips], label_smoothing=SMOOTHING
            )
            loss = loss + weight * constraint
            optimizer.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(model.parameters(), CLIPPING)
            optimizer.step()
            schedule.step()
    return model.eval()


def predict(
    model: Readout, x: Tensor, part: Part, clips: Tensor
) -> tuple[Tensor, Tensor]:
    """Return scores and constraint; the oracle is told the intensity of the clips."""
    if isinstance(model.split, OracleSplit):
        model.split.intensity = part.curves[clips, 0]
    return model(x)


@torch.no_grad()
def measure(model: Readout, part: Part) -> dict[str, Any]:
    """Return the UAR, and the intensity at the dynamics frames of emotional clips."""
    every = torch.arange(len(part.x))
    scores, constraint = predict(model, part.x, part, every)
    right = scores.argmax(dim=1) == part.labels
    recalls = [right[part.labels == k].float().mean() for k in part.labels.unique()]
    found: dict[str, Any] = dict(UAR=torch.stack(recalls).mean().item())
    if model.split is not None:
        indexes = model.split.split_indexes(part.x)
        frames = model.split.frames_read(indexes.dynamic)[part.shown]
        curves = part.curves[part.shown]
        own = mean_at(curves, frames)[:, 0]
        fixed = mean_at(curves, frames.mean(dim=0).expand_as(frames))[:, 0]
        found.update(dynamics=own.mean().item(), gains=(own - fixed).tolist())
        found['constraint'] = constraint.item()
    return found


def summarize(
    row: str, weight: float, runs: list[dict[str, Any]], part: Part
) -> dict[str, Any]:
    """Return the record of a row over its seeds."""
    scores = [run['UAR'] for run in runs]
    record: dict[str, Any] = dict(row=row, UAR=mean_std(scores), seeds=scores)
    if 'dynamics' in runs[0]:
        record['loss_weight'] = weight
        record['constraint'] = mean_std([run['constraint'] for run in runs])
        subjects = [part.subjects[i] for i in part.shown.tolist()] * len(runs)
        gains = [gain for run in runs for gain in run['gains']]
        record['dynamics'] = mean_std([run['dynamics'] for run in runs])
        record['dynamics_minus_fixed'] = cluster_bootstrap(gains, subjects)._asdict()
    return record


def to_markdown(record: Mapping[str, Any]) -> str:
    """Return the table; intensities are those of the set, from 0 to 1."""
    lines = [
        '| split + lifting | loss weight | UAR (%) | intensity at the dynamics frames '
        f'(best frames {record["best_frames"]:.3f}) | minus the same indexes in every '
        'clip | constraint |',
        '| --- | --- | --- | --- | --- | --- |',
    ]
    for row in record['rows']:
        cells = [row['row'], '', percent(row['UAR'], 1), '', '', '']
        if 'dynamics' in row:
            gain = row['dynamics_minus_fixed']
            cells[1] = f'{row["loss_weight"]:g}'
            cells[3] = f'{row["dynamics"]["mean"]:.3f}'
            cells[4] = (
                f'{gain["mean"]:+.3f} ({gain["low"]:+.3f} to {gain["high"]:+.3f})'
            )
            cells[5] = f'{row["constraint"]["mean"]:.4f}'
        lines.append(f'| {" | ".join(cells)} |')
    return '\n'.join(lines)


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
    known = {(row['row'], row.get('loss_weight')) for row in record['rows']}
    for row, weight in itertools.product(args.rows, args.loss_weights):
        if row in POOLINGS and weight != args.loss_weights[0]:
            continue  # without a context there is no constraint
        if (row, None if row in POOLINGS else weight) in known:
            continue
        runs = []
        for seed in args.seeds:
            head = model.cls_head.fc_cls
            readout = train(row, weight, seed, training, head, args.epochs)
            runs.append(measure(readout, test))
            print(
                f'{row}, weight {weight:g}, seed {seed}: UAR '
                f'{100 * runs[-1]["UAR"]:.1f} %',
                flush=True,
            )
        record['rows'].append(summarize(row, weight, runs, test))
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
