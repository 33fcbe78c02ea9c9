"""How the findings of probe_disentanglement.py are written."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from ifdd_mmaction.analysis import CURVES, Estimate, GroupTiming


def to_json(report: dict[str, Any]) -> str:
    """Write a report as JSON, each estimate as a dict."""
    return json.dumps(_plain(report), indent=2) + '\n'


def _plain(value: Any) -> Any:
    if hasattr(value, '_asdict'):
        value = value._asdict()
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    return value


def to_markdown(report: dict[str, Any], timing: GroupTiming, probes: dict) -> str:
    """Lay the report out as Markdown."""

    def cell(estimate: Estimate, signed: bool = False, unit: float = 1.0) -> str:
        digits = f'{"+" if signed else ""}.{1 if unit > 1 else 3}f'
        mean, low, high = (format(unit * v, digits) for v in estimate)
        return f'{mean} [{low}, {high}]'

    def percent(estimate: Estimate, signed: bool = False) -> str:
        return cell(estimate, signed, 100.0)

    def frames(group: str) -> str:
        both = timing.frames[group]
        return ', '.join(
            f'{mean:.2f} ± {std:.2f}'
            for mean, std in zip(both['mean'], both['std'], strict=True)
        )

    chance = probes['chance']
    kinds = ('classes', 'identity')
    lines = [
        f'# Disentanglement: {Path(report["config"]).name}',
        '',
        f'Checkpoint {Path(report["checkpoint"]).name} (epoch {report["epoch"]}, seed '
        f'{report["seed"]}), fold {report["fold"]}: {report["train_clips"]} clips for '
        f'training probes, {report["test_clips"]} clips of {report["test_subjects"]} '
        f'held-out subjects for all else. The model itself recognizes '
        f'{100 * report["accuracy"]:.1f} % of the latter. In brackets: 95 % intervals, '
        'bootstrapped over subjects.',
        '',
        f'## Where the groups read ({report["timed_clips"]} clips, Neutral excluded)',
        '',
        f'| frames | {" | ".join(CURVES)} |',
        '| --- | --- | --- |',
        *(
            f'| {name} | {" | ".join(cell(found[k]) for k in CURVES)} |'
            for name, found in timing.groups.items()
        ),
        *(
            f'| {name} | {" | ".join(cell(found[k], True) for k in CURVES)} |'
            for name, found in timing.differences.items()
        ),
        '',
        f'Frames read, of {report["num_frames"]} from 0, mean ± standard deviation '
        'over clips:',
        '',
        f'- dynamics: {frames("dynamics")}',
        f'- context: {frames("context")}',
        '',
        f'## Read linearly, % right (pooling: {report["pooling"]})',
        '',
        '| feature | numbers | class | identity |',
        '| --- | --- | --- | --- |',
        *(
            f'| {name} | {found["size"]} | '
            f'{" | ".join(percent(found[k]) for k in kinds)} |'
            for name, found in probes['features'].items()
        ),
        *(
            f'| {name} | | {" | ".join(percent(found[k], True) for k in kinds)} |'
            for name, found in probes['differences'].items()
        ),
        f'| chance | | {" | ".join(f"{100 * chance[k]:.1f}" for k in kinds)} |',
    ]
    return '\n'.join(lines) + '\n'
