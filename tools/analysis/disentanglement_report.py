"""How the findings of probe_disentanglement.py are written."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ifdd_mmaction.analysis import CURVES


def to_json(report: Mapping[str, Any]) -> str:
    """Write a report as JSON."""
    return json.dumps(report, indent=2) + '\n'


def plain(value: Any) -> Any:
    """Return a report as its JSON has it: each estimate as a dict."""
    if hasattr(value, '_asdict'):
        value = value._asdict()
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    return value


def to_markdown(report: Mapping[str, Any]) -> str:
    """Lay a plain report out as Markdown."""
    title = f'# Disentanglement: {Path(report["config"]).name}'
    return f'{title}\n\n{sections(report, level=2)}\n'


def sections(report: Mapping[str, Any], level: int = 3) -> str:
    """Lay out what is below the title, with headings of a level."""

    def cell(
        estimate: Mapping[str, float], signed: bool = False, unit: float = 1.0
    ) -> str:
        digits = f'{"+" if signed else ""}.{1 if unit > 1 else 3}f'
        mean, low, high = (
            format(unit * estimate[k], digits) for k in ('mean', 'low', 'high')
        )
        return f'{mean} [{low}, {high}]'

    def percent(estimate: Mapping[str, float], signed: bool = False) -> str:
        return cell(estimate, signed, 100.0)

    timing, probes = report['timing'], report['probes']

    def frames(group: str) -> str:
        both = timing['frames'][group]
        return ', '.join(
            f'{mean:.2f} ± {std:.2f}'
            for mean, std in zip(both['mean'], both['std'], strict=True)
        )

    chance = probes['chance']
    mark = '#' * level
    kinds = ('classes', 'identity')
    lines = [
        f'Checkpoint {Path(report["checkpoint"]).name} (epoch {report["epoch"]}, seed '
        f'{report["seed"]}), fold {report["fold"]}: {report["train_clips"]} clips for '
        f'training probes, {report["test_clips"]} clips of {report["test_subjects"]} '
        f'held-out subjects for all else. The model itself recognizes '
        f'{100 * report["accuracy"]:.1f} % of the latter. In brackets: 95 % intervals, '
        'bootstrapped over subjects.',
        '',
        f'{mark} Where the groups read ({report["timed_clips"]} clips, Neutral '
        'excluded)',
        '',
        f'| frames | {" | ".join(CURVES)} |',
        '| --- | --- | --- |',
        *(
            f'| {name} | {" | ".join(cell(found[k]) for k in CURVES)} |'
            for name, found in timing['groups'].items()
        ),
        *(
            f'| {name} | {" | ".join(cell(found[k], True) for k in CURVES)} |'
            for name, found in timing['differences'].items()
        ),
        '',
        f'Frames read, of {report["num_frames"]} from 0, mean ± standard deviation '
        'over clips:',
        '',
        f'- dynamics: {frames("dynamics")}',
        f'- context: {frames("context")}',
        '',
        f'{mark} Read linearly, % right (pooling: {report["pooling"]})',
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
    return '\n'.join(lines)
