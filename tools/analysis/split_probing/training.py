"""Training and measurement of one row of the probe."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ifdd_mmaction.analysis import cluster_bootstrap, mean_at
from ifdd_mmaction.errors import InputError
from ifdd_mmaction.evaluation import mean_std
from ifdd_mmaction.randomness import seed_generators

from .constraints import BATCH, CONSTRAINTS, Constraint
from .readouts import POOLINGS, OracleSplit, Readout

RATE, DECAY, SMOOTHING, CLIPPING = 1e-3, 0.05, 0.05, 5.0


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
    neutral: int | None  # number of the neutral class, if there is one


def setting_of(row: Mapping[str, Any]) -> Setting:
    """Return the setting of a row of the record."""
    if 'loss_weight' not in row:
        return Setting(row['row'])
    return Setting(row['row'], row['loss_weight'], row.get('kind', 'paper'))


def settings(
    rows: Sequence[str], kinds: Sequence[str], weights: Sequence[float]
) -> list[Setting]:
    """Return what is trained: rows without a context once, others in every way."""
    found = []
    for row in rows:
        if row in POOLINGS:
            found.append(Setting(row))
            continue
        for kind, weight in itertools.product(kinds, weights):
            # Without weight, only the size of the batch makes a difference.
            if weight or kind == 'paper' or CONSTRAINTS[kind].batch != BATCH:
                found.append(Setting(row, weight, kind))
    return found


def train(
    setting: Setting, seed: int, part: Part, head: nn.Linear, epochs: int
) -> Readout:
    """Train one row on the features of the training clips."""
    seed_generators(seed)
    model = Readout(setting.row, part.x.shape[1:], head, part.neutral)
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
        record['dynamics_minus_fixed'] = cluster_bootstrap(
            np.array(gains), subjects
        )._asdict()
    return record
