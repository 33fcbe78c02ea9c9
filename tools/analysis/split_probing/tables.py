"""Tables of the records of the probe."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ifdd_mmaction.evaluation import mean_interval, percent, signed_percent

from .constraints import CONSTRAINTS
from .training import setting_of


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
        '| split + lifting | constraint | weight | UAR (%) | minus without | intensity '
        f'at the dynamics frames (best {record["best_frames"]:.3f}) | value |',
        '| --- | --- | --- | --- | --- | --- | --- |',
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
            f'| {setting.row} | {setting.kind} | {setting.weight:g} | '
            f'{percent(row["UAR"], 1)} | {gain} | {row["dynamics"]["mean"]:.3f} | '
            f'{row["constraint"]["mean"]:.4f} |'
        )
    return '\n'.join(lines)
