"""Tables of scores over folds and seeds, with their means."""

from __future__ import annotations

import json
import os
import statistics
from collections.abc import Mapping, Sequence
from typing import Any

from scipy.special import stdtrit

from ..fileio import write_atomic

#: Checkpoints of a fold; WAR and UAR of a pair of cells are of the same checkpoint.
CHECKPOINTS = ('last', 'best')


def mean_std(values: Sequence[float]) -> dict[str, Any]:
    """Return ``mean``, sample ``std`` (n - 1) and ``n``; None where undefined.

    Example:
        >>> from ifdd_mmaction.evaluation import mean_std
        >>> mean_std([0.5, 0.75, 1.0])
        {'mean': 0.75, 'std': 0.25, 'n': 3}
    """
    return dict(
        mean=statistics.mean(values) if values else None,
        std=statistics.stdev(values) if len(values) > 1 else None,
        n=len(values),
    )


def percent(summary: Mapping[str, Any], digits: int = 2) -> str:
    """Format a summary of fractions as ``mean ± std`` in percent.

    Example:
        >>> from ifdd_mmaction.evaluation import mean_std, percent
        >>> percent(mean_std([0.5, 0.75, 1.0]))
        '75.00 ± 25.00'
    """
    parts = [summary[k] for k in ('mean', 'std') if summary[k] is not None]
    return ' ± '.join(f'{100 * part:.{digits}f}' for part in parts) or '-'


def mean_interval(values: Sequence[float]) -> dict[str, Any]:
    """Return ``mean``, its 95 % interval ``low`` to ``high`` by Student's t, and ``n``.

    Example:
        >>> from ifdd_mmaction.evaluation import mean_interval
        >>> {k: round(v, 3) for k, v in mean_interval([0.5, 0.75, 1.0]).items()}
        {'mean': 0.75, 'low': 0.129, 'high': 1.371, 'n': 3}
    """
    summary = mean_std(values)
    mean, std, n = summary['mean'], summary['std'], summary['n']
    if std is None:
        return dict(mean=mean, low=None, high=None, n=n)
    half = float(stdtrit(n - 1, 0.975)) * std / n**0.5
    return dict(mean=mean, low=mean - half, high=mean + half, n=n)


def signed_percent(interval: Mapping[str, Any], digits: int = 1) -> str:
    """Format a difference of fractions as ``mean [low, high]`` in points.

    Example:
        >>> from ifdd_mmaction.evaluation import mean_interval, signed_percent
        >>> signed_percent(mean_interval([0.5, 0.75, 1.0]))
        '+75.0 [+12.9, +137.1]'
    """
    mean, low, high = (
        '-' if interval[k] is None else f'{100 * interval[k]:+.{digits}f}'
        for k in ('mean', 'low', 'high')
    )
    return mean if low == '-' else f'{mean} [{low}, {high}]'


def fold_table(rows: Sequence[Mapping[str, Any]]) -> tuple[str, dict[str, Any]]:
    """Create the table of a protocol with folds.

    Args:
        rows: One per fold: ``fold``, and ``last`` and ``best``, each the ``epoch``,
            ``WAR`` and ``UAR`` (fractions) of one checkpoint, or absent.

    Returns:
        Markdown, and a record with the ``rows`` and ``mean``: the :func:`mean_std` over
        the rows, by checkpoint and score. A checkpoint that is absent in a row has no
        mean: it would be over fewer folds than the other one.

    Example:
        >>> from ifdd_mmaction.evaluation import fold_table
        >>> scores = dict(epoch=100, WAR=0.75, UAR=0.625)
        >>> markdown, record = fold_table([dict(fold=i, last=scores) for i in (1, 2)])
        >>> print(markdown)
        | fold | last epoch | WAR (%) | UAR (%) | best epoch | WAR (%) | UAR (%) |
        | --- | --- | --- | --- | --- | --- | --- |
        | 1 | 100 | 75.00 | 62.50 | - | - | - |
        | 2 | 100 | 75.00 | 62.50 | - | - | - |
        | mean of 2 |  | 75.00 ± 0.00 | 62.50 ± 0.00 |  | - | - |
        >>> record['mean']['last']['WAR']
        {'mean': 0.75, 'std': 0.0, 'n': 2}
    """
    rows = sorted(rows, key=lambda row: row['fold'])
    lines = [
        '| fold | last epoch | WAR (%) | UAR (%) | best epoch | WAR (%) | UAR (%) |',
        '| --- | --- | --- | --- | --- | --- | --- |',
    ]
    means: dict[str, dict[str, Any]] = {}
    for name in CHECKPOINTS:
        found = [row[name] for row in rows if row.get(name)]
        found = found if len(found) == len(rows) else []
        means[name] = {k: mean_std([s[k] for s in found]) for k in ('WAR', 'UAR')}
    for row in rows:
        cells = [str(row['fold'])]
        for name in CHECKPOINTS:
            scores = row.get(name)
            cells += (
                [str(scores['epoch']), *(f'{100 * scores[k]:.2f}' for k in means[name])]
                if scores
                else ['-'] * 3
            )
        lines.append(f'| {" | ".join(cells)} |')
    cells = [f'mean of {len(rows)}']
    for summaries in means.values():
        cells += ['', *map(percent, summaries.values())]
    lines.append(f'| {" | ".join(cells)} |')
    return '\n'.join(lines), dict(rows=rows, mean=means)


def write_table(
    out: str | os.PathLike, markdown: str, record: Mapping[str, Any]
) -> None:
    """Write a table to ``OUT.md`` and ``OUT.json``.

    Example:
        >>> from ifdd_mmaction.evaluation import write_table
        >>> write_table('scores', '| WAR |', dict(WAR=0.75))
        >>> print(open('scores.json').read())
        {
         "WAR": 0.75
        }
    """
    text = json.dumps(record, indent=1)
    write_atomic(f'{os.fspath(out)}.md', f'{markdown}\n'.encode())
    write_atomic(f'{os.fspath(out)}.json', f'{text}\n'.encode())
