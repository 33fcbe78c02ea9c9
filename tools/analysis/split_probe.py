"""Compare splits and readouts on the features of a frozen model.

    python tools/analysis/split_probe.py configs/ifdd_vit_sample_content.py \\
        work_dirs/content/frames/epoch_20.pth --data-root data/sample_wide

Backbone and aggregation, as the checkpoint has them, give the features X of every clip
once; each row is trained on them alone, with several seeds, which takes seconds. The
oracle takes the frames of the highest known intensity (``envelope.npy`` of the set):
it says how much the right indexes would bring. The constraint of the disentanglement
loss is compared in the same way (``--loss-weights``, ``--constraints``). Writes OUT.md
and OUT.json after each row; the same command with the same code goes on after the rows
that are there.
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
from ifdd_mmaction.evaluation import (
    mean_interval,
    mean_std,
    percent,
    signed_percent,
    write_table,
)
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


class Constraint(NamedTuple):
    """How the constraint on the context is computed, and in which training.

    Args:
        distance: ``'relaxed'``, the paper's Huber loss of averages over channels and
            time; ``'strict'``, of every value; ``'channels'``, of averages over time;
            ``'L1'`` of the paper's averages; ``'cosine'`` of averages over time.
        warm_up: Share of the steps over which the weight rises from 0.
        detached: Whether its gradient ends at the lifting and does not move the split.
        batch: Clips of a batch.
    """

    distance: str = 'relaxed'
    warm_up: float = 0.0
    detached: bool = False
    batch: int = BATCH

    def __call__(self, x: Tensor, y_s: Tensor) -> Tensor:
        """Return the distance of the context of ``(N, C, T, H, W)`` from Y_S."""
        if self.distance in ('relaxed', 'strict'):
            return global_context_loss(
                context_gap(x, y_s, relaxed=self.distance == 'relaxed')
            )
        if self.distance == 'L1':
            return context_gap(x, y_s).abs().mean()
        context, fine = x.mean(dim=2), y_s.mean(dim=2)
        if self.distance == 'channels':
            return global_context_loss(context - fine)
        return 1 - F.cosine_similarity(context, fine, dim=1).mean()


#: What ``--constraints`` knows: the paper's, and each thing that is changed alone.
CONSTRAINTS = {
    'paper': Constraint(),
    'strict': Constraint('strict'),
    'channels': Constraint('channels'),
    'L1': Constraint('L1'),
    'cosine': Constraint('cosine'),
    'warm-up': Constraint(warm_up=0.5),
    'detached': Constraint(detached=True),
    'batch of 8': Constraint(batch=8),
    'batch of 128': Constraint(batch=128),
}


class Setting(NamedTuple):
    """What is trained with each seed; rows without a context have no constraint."""

    row: str
    weight: float | None = None
    kind: str | None = None  # of CONSTRAINTS

    def __str__(self) -> str:
        """Return the setting as it is printed."""
        if self.kind is None:
            return self.row
        return f'{self.row}, weight {self.weight:g}, {self.kind}'


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

    def forward(
        self, x: Tensor, constraint: Constraint = CONSTRAINTS['paper']
    ) -> tuple[Tensor, Tensor]:
        """Return scores ``(N, K)`` and the value of the constraint on the context."""
        value = x.new_zeros(())
        if self.split is not None:
            groups = self.split(x)
            vector, y_s = self.lifting(*groups)
            if constraint.detached:
                _, y_s = self.lifting(*(group.detach() for group in groups))
            value = constraint(x, y_s)
        elif self.row == 'attention':
            frames = x.transpose(1, 2).flatten(2)  # (N, T, C * H * W)
            vector = (self.query(frames).softmax(dim=1) * frames).sum(dim=1)
        else:
            vector = x.mean(dim=(2, 3, 4))
        return self.head(F.dropout(vector, DROPOUT, self.training)), value


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
    setting: Setting, seed: int, part: Part, head: nn.Linear, epochs: int
) -> Readout:
    """Train one row on the features of the training clips."""
    seed_generators(seed)
    model = Readout(setting.row, part.x.shape[1:], head)
    constraint = CONSTRAINTS[setting.kind or 'paper']
    if len(part.x) < constraint.batch:
        raise InputError(
            f'{setting}: {len(part.x)} training clips are less than a batch'
        )
    optimizer = torch.optim.AdamW(model.parameters(), RATE, weight_decay=DECAY)
    steps = epochs * (len(part.x) // constraint.batch)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, 2 * RATE, total_steps=steps + 1
    )
    batches = itertools.chain.from_iterable(
        torch.randperm(len(part.x)).split(constraint.batch)[: steps // epochs]
        for _ in range(epochs)
    )
    for step, clips in enumerate(batches):
        x = part.x[clips]
        flipped = torch.rand(len(x), 1, 1, 1, 1) < 0.5
        x = torch.where(flipped, x.flip(4), x)
        scores, value = predict(model, x, part, clips, constraint)
        loss = F.cross_entropy(scores, part.labels[clips], label_smoothing=SMOOTHING)
        reached = min(1.0, (step + 1) / max(constraint.warm_up * steps, 1.0))
        loss = loss + (setting.weight or 0.0) * reached * value
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), CLIPPING)
        optimizer.step()
        schedule.step()
    return model.eval()


def predict(
    model: Readout,
    x: Tensor,
    part: Part,
    clips: Tensor,
    constraint: Constraint = CONSTRAINTS['paper'],
) -> tuple[Tensor, Tensor]:
    """Return scores and constraint; the oracle is told the intensity of the clips."""
    if isinstance(model.split, OracleSplit):
        model.split.intensity = part.curves[clips, 0]
    return model(x, constraint)


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
    setting: Setting, runs: list[dict[str, Any]], part: Part
) -> dict[str, Any]:
    """Return the record of a row over its seeds."""
    scores = [run['UAR'] for run in runs]
    record: dict[str, Any] = dict(row=setting.row, UAR=mean_std(scores), seeds=scores)
    if 'dynamics' in runs[0]:
        record['loss_weight'] = setting.weight
        record['kind'] = setting.kind
        record['constraint'] = mean_std([run['constraint'] for run in runs])
        subjects = [part.subjects[i] for i in part.shown.tolist()] * len(runs)
        gains = [gain for run in runs for gain in run['gains']]
        record['dynamics'] = mean_std([run['dynamics'] for run in runs])
        record['dynamics_minus_fixed'] = cluster_bootstrap(gains, subjects)._asdict()
    return record


def to_markdown(record: Mapping[str, Any]) -> str:
    """Return the table; intensities are those of the set, from 0 to 1."""
    rows = {setting_of(row): row for row in record['rows']}
    lines = [
        '| split + lifting | loss weight | UAR (%) | intensity at the dynamics frames '
        f'(best frames {record["best_frames"]:.3f}) | minus the same indexes in every '
        'clip | constraint |',
        '| --- | --- | --- | --- | --- | --- |',
    ]
    for setting, row in rows.items():
        cells = [setting.row, '', percent(row['UAR'], 1), '', '', '']
        if 'dynamics' in row:
            kind = '' if setting.kind == 'paper' else f', {setting.kind}'
            gain = row['dynamics_minus_fixed']
            cells[1] = f'{setting.weight:g}{kind}'
            cells[3] = f'{row["dynamics"]["mean"]:.3f}'
            cells[4] = (
                f'{gain["mean"]:+.3f} ({gain["low"]:+.3f} to {gain["high"]:+.3f})'
            )
            cells[5] = f'{row["constraint"]["mean"]:.4f}'
        lines.append(f'| {" | ".join(cells)} |')
    return '\n'.join(lines)


def constraints_table(record: Mapping[str, Any]) -> str:
    """Return what each way to compute the constraint changes, paired by seed.

    The reference is the same row without the constraint, with as many clips a batch.
    """
    rows = {setting_of(row): row for row in record['rows']}
    references = {
        (setting.row, CONSTRAINTS[setting.kind].batch): row
        for setting, row in rows.items()
        if setting.kind and not setting.weight
    }
    lines = [
        '| constraint | weight | UAR (%) | minus without | intensity at the dynamics '
        f'frames (best {record["best_frames"]:.3f}) | constraint |',
        '| --- | --- | --- | --- | --- | --- |',
    ]
    for setting, row in rows.items():
        if setting.kind is None:
            continue
        gain = ''
        without = references.get((setting.row, CONSTRAINTS[setting.kind].batch))
        if setting.weight and without:
            pairs = zip(row['seeds'], without['seeds'], strict=True)
            gain = signed_percent(mean_interval([a - b for a, b in pairs]))
        lines.append(
            f'| {setting.kind} | {setting.weight:g} | {percent(row["UAR"], 1)} | '
            f'{gain} | {row["dynamics"]["mean"]:.3f} | '
            f'{row["constraint"]["mean"]:.4f} |'
        )
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


def setting_of(row: Mapping[str, Any]) -> Setting:
    """Return the setting of a row of the record."""
    if 'loss_weight' not in row:
        return Setting(row['row'])
    return Setting(row['row'], row['loss_weight'], row.get('kind', 'paper'))


def settings(args: argparse.Namespace) -> list[Setting]:
    """Return what is trained: rows without a context once, others in every way."""
    found = []
    for row in args.rows:
        if row in POOLINGS:
            found.append(Setting(row))
            continue
        for kind, weight in itertools.product(args.constraints, args.loss_weights):
            # Without weight, only the size of the batch makes a difference.
            if weight or kind == 'paper' or CONSTRAINTS[kind].batch != BATCH:
                found.append(Setting(row, weight, kind))
    return found


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
    for setting in settings(args):
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
